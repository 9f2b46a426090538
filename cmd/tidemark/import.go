package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"unicode/utf8"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/sync/errgroup"

	"github.com/tidemark-desk/tidemark/internal/fault"
	"github.com/tidemark-desk/tidemark/internal/importer"
)

const (
	importChunk   = 400 << 10 // bytes of lines in one request; the server takes 1 MiB, and quotes are escaped
	importCallers = 4         // requests under way
	rejectsSaid   = 20        // rejected lines that are printed as they come; the file has them all
)

// importCommand brings files in.
type importCommand struct {
	Client   clientFlags `embed:""`
	Files    []string    `arg:"" name:"file" help:"JSONL files, plain or gzip; - for standard input."`
	Rejected string      `help:"Where lines that cannot be imported are kept, with the reasons." default:"./rejected.jsonl" placeholder:"FILE"`
}

// imported is what the server says of one chunk.
type imported struct {
	importer.Totals
	Rejected []struct {
		Line   int    `json:"line"` // within the chunk, from 1
		Code   string `json:"code"`
		Detail string `json:"detail"`
	} `json:"rejected"`
	Position string `json:"position"`
}

// Run imports every file; running it again adds nothing that is there, so it is also how an import is resumed.
func (c *importCommand) Run(ctx context.Context, p *printer, s streams) error {
	server, err := c.Client.connect()
	if err != nil {
		return err
	}
	job := &importJob{server: server, err: s.err, rejectedPath: c.Rejected}
	for _, name := range c.Files {
		if err := job.file(ctx, name, s); err != nil {
			return errors.Join(err, job.close(), c.report(p, job))
		}
	}
	if err := errors.Join(job.close(), c.report(p, job)); err != nil {
		return err
	}
	if job.rejected > 0 {
		return errSaid
	}
	return nil
}

func (c *importCommand) report(p *printer, job *importJob) error {
	t := job.totals
	if p.json {
		return p.object(struct {
			importer.Totals
			Rejected int    `json:"rejected"`
			Position string `json:"position"`
		}{t, job.rejected, job.position})
	}
	p.say("conversations  %d new, %d longer than before, %d as they were", t.Created, t.Extended, t.Unchanged)
	p.say("messages       %d new", t.Messages)
	p.say("customers      %d new", t.Customers)
	if job.rejected > 0 {
		p.say("rejected       %d lines, kept with the reasons in %s", job.rejected, c.Rejected)
	}
	return nil
}

// importJob is one run over several files.
type importJob struct {
	server       *client
	err          io.Writer
	rejectedPath string

	mu         sync.Mutex
	totals     importer.Totals
	rejected   int
	position   string
	rejectFile *os.File
}

// chunk is some whole lines of a file.
type chunk struct {
	first int // number of its first line in the file
	lines [][]byte
	read  int64 // bytes of the file that were read for it
}

func (j *importJob) file(ctx context.Context, name string, s streams) error {
	in, size, err := openInput(name, s)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	bar := progress(s.err, size, filepath.Base(name), progressbar.OptionShowBytes(true))
	defer func() { _ = bar.Finish() }()
	counted := &countingReader{r: in}
	lines, err := plain(counted)
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(importCallers)
	err = eachChunk(lines, func(c chunk) error {
		c.read = counted.n
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		group.Go(func() error {
			if err := j.send(ctx, name, c); err != nil {
				return err
			}
			return bar.Set64(max(c.read, bar.State().CurrentNum))
		})
		return nil
	})
	if sent := group.Wait(); sent != nil {
		err = sent
	}
	if err != nil {
		return fmt.Errorf("import %s: %w", name, err)
	}
	return nil
}

// send imports one chunk and keeps what the server refused.
func (j *importJob) send(ctx context.Context, name string, c chunk) error {
	var answer imported
	var bad []int
	lines := make([]string, len(c.lines))
	for i, line := range c.lines {
		if utf8.Valid(line) {
			lines[i] = string(line)
		} else {
			bad = append(bad, i) // sent as an empty line, which is passed over
		}
	}
	body := map[string][]string{"lines": lines}
	if err := j.server.do(ctx, http.MethodPost, "/v1/admin/import", body, &answer); err != nil {
		return fmt.Errorf("lines %d to %d: %w", c.first, c.first+len(c.lines)-1, err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.totals.Add(answer.Totals)
	j.position = answer.Position
	for _, i := range bad {
		if err := j.reject(name, c.first+i, "text_refused", "is not UTF-8", c.lines[i]); err != nil {
			return err
		}
	}
	for _, r := range answer.Rejected {
		if err := j.reject(name, c.first+r.Line-1, r.Code, r.Detail, c.lines[r.Line-1]); err != nil {
			return err
		}
	}
	return nil
}

// rejectedLine is what is kept of a line that could not be imported.
type rejectedLine struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Code   string `json:"code"`
	Detail string `json:"detail"`
	Text   string `json:"text"` // the line as it was
}

// reject keeps a line and what is wrong with it; the first few are also said at once.
func (j *importJob) reject(name string, line int, code, detail string, raw []byte) error {
	j.rejected++
	if j.rejectFile == nil {
		f, err := os.Create(j.rejectedPath)
		if err != nil {
			return fmt.Errorf("keep rejected lines: %w; name a file that can be written with --rejected", err)
		}
		j.rejectFile = f
	}
	if j.rejected <= rejectsSaid {
		_, _ = fmt.Fprintf(j.err, "%s:%d: %s [%s]\n", name, line, detail, code)
	}
	kept, err := json.Marshal(rejectedLine{File: name, Line: line, Code: code, Detail: detail, Text: string(raw)})
	if err != nil {
		return fmt.Errorf("keep rejected lines: %w", err)
	}
	if _, err := j.rejectFile.Write(append(kept, '\n')); err != nil {
		return fmt.Errorf("keep rejected lines: %w", err)
	}
	return nil
}

func (j *importJob) close() error {
	if j.rejectFile == nil {
		return nil
	}
	return j.rejectFile.Close()
}

// eachChunk cuts a file into whole lines of about importChunk bytes. Empty lines are passed over but counted.
func eachChunk(in io.Reader, fn func(chunk) error) error {
	reader := bufio.NewReaderSize(in, 256<<10)
	current, size := chunk{first: 1}, 0
	for number := 1; ; number++ {
		line, err := reader.ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("line %d: %w", number, err)
		}
		ended := err != nil
		line = bytes.TrimRight(line, "\r\n")
		if len(current.lines) > 0 && size+len(line) > importChunk {
			if err := fn(current); err != nil {
				return err
			}
			current, size = chunk{first: number}, 0
		}
		if !ended || len(line) > 0 {
			current.lines = append(current.lines, line)
			size += len(line) + 1
		}
		if ended {
			break
		}
	}
	if len(current.lines) == 0 {
		return nil
	}
	return fn(current)
}

func openInput(name string, s streams) (io.ReadCloser, int64, error) {
	if name == "-" {
		return io.NopCloser(s.in), -1, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, 0, fault.Newf(fault.NotFound, "file_unreadable", "%s cannot be read", name).WithCause(err)
	}
	info, err := f.Stat()
	if err != nil || info.IsDir() {
		_ = f.Close()
		return nil, 0, fault.Newf(fault.Invalid, "file_unreadable", "%s is not a file", name)
	}
	return f, info.Size(), nil
}

// plain unpacks gzip, which is known by its first two bytes and not by a name.
func plain(in io.Reader) (io.Reader, error) {
	reader := bufio.NewReader(in)
	magic, err := reader.Peek(2)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if len(magic) == 2 && magic[0] == 0x1f && magic[1] == 0x8b {
		return gzip.NewReader(reader)
	}
	return reader, nil
}

type countingReader struct {
	r io.Reader
	n int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}
