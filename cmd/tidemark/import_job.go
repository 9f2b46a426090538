package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/sync/errgroup"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/fault"
	"github.com/tidemark-desk/tidemark/internal/importer"
	"github.com/tidemark-desk/tidemark/internal/web"
)

const (
	importCallers = 4           // requests under way
	importPause   = time.Second // before a request is sent again that the server's limit refused and no time was named
)

// imported is what the server says of some lines.
type imported struct {
	importer.Totals
	Rejected []struct {
		Line   int    `json:"line"` // of the request, from 1
		Code   string `json:"code"`
		Detail string `json:"detail"`
	} `json:"rejected"`
	Position string `json:"position"`
}

// importJob is one run over several files.
type importJob struct {
	server *client

	mu      sync.Mutex
	totals  importer.Totals
	newest  events.Position
	rejects rejects
}

// position is that of the newest event of the import; empty when there is none.
func (j *importJob) position() string {
	if j.newest.IsZero() {
		return ""
	}
	return j.newest.String()
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
	content, err := plain(counted)
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(importCallers)
	err = eachChunk(content, func(lines []line) error {
		read := counted.n
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		group.Go(func() error {
			if err := j.lines(ctx, name, lines); err != nil {
				return err
			}
			return bar.Set64(max(read, bar.State().CurrentNum))
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

// lines imports some lines, but for those that no request can carry.
func (j *importJob) lines(ctx context.Context, name string, lines []line) error {
	sound := make([]line, 0, len(lines))
	for _, l := range lines {
		var err error
		switch {
		case l.cut:
			err = j.reject(name, l, web.ErrBodyTooLarge.Code, fmt.Sprintf("is longer than %d bytes", lineKept))
		case !utf8.Valid(l.raw):
			err = j.reject(name, l, web.ErrTextRefused.Code, "is not UTF-8")
		default:
			sound = append(sound, l)
		}
		if err != nil {
			return err
		}
	}
	if len(sound) == 0 {
		return nil
	}
	return j.send(ctx, name, sound)
}

// send imports some lines. When the server refuses the request as a whole, it is halved until the line is found that it
// cannot take: one bad line must not take others with it.
func (j *importJob) send(ctx context.Context, name string, lines []line) error {
	answer, err := j.post(ctx, lines)
	if err == nil {
		return j.note(name, lines, answer)
	}
	refused, ok := errors.AsType[*answerError](err)
	switch {
	case !ok, !slices.Contains([]int{http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity}, refused.status):
		return fmt.Errorf("lines %d to %d: %w", lines[0].number, lines[len(lines)-1].number, err)
	case len(lines) == 1:
		return j.reject(name, lines[0], refused.problem.Code, refused.problem.detail())
	}
	half := len(lines) / 2
	if err := j.send(ctx, name, lines[:half]); err != nil {
		return err
	}
	return j.send(ctx, name, lines[half:])
}

// post sends lines in one request, and waits as long as the server's limit asks for.
func (j *importJob) post(ctx context.Context, lines []line) (imported, error) {
	texts := make([]string, len(lines))
	for i, l := range lines {
		texts[i] = string(l.raw)
	}
	body, err := encode(map[string][]string{"lines": texts})
	if err != nil {
		return imported{}, err
	}
	if len(body) > web.MaxBody { // a server that refuses a body unread may be gone before it has said so
		return imported{}, tooLarge(len(body))
	}
	for {
		var answer imported
		err := j.server.send(ctx, http.MethodPost, "/v1/admin/import", body, &answer)
		f, ok := errors.AsType[*fault.Fault](err)
		if !ok || f.Kind != fault.TooMany {
			return answer, err
		}
		pause := time.NewTimer(max(f.RetryAfter, importPause))
		select {
		case <-ctx.Done():
			pause.Stop()
			return imported{}, context.Cause(ctx)
		case <-pause.C:
		}
	}
}

// tooLarge is what the server would answer to a body of so many bytes.
func tooLarge(size int) *answerError {
	f := *web.ErrBodyTooLarge
	return &answerError{status: http.StatusRequestEntityTooLarge, fault: &f, problem: problem{
		Code: f.Code, Detail: fmt.Sprintf("makes a request of %d bytes, of which the server takes %d", size, web.MaxBody),
	}}
}

// note counts what was imported and keeps what was not.
func (j *importJob) note(name string, lines []line, answer imported) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.totals.Add(answer.Totals)
	if at, err := events.ParsePosition(answer.Position); err == nil && at.Sequence > j.newest.Sequence {
		j.newest = at
	}
	for _, r := range answer.Rejected {
		if err := j.rejects.add(name, lines[r.Line-1], r.Code, r.Detail); err != nil {
			return err
		}
	}
	return nil
}

func (j *importJob) reject(name string, l line, code, detail string) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.rejects.add(name, l, code, detail)
}
