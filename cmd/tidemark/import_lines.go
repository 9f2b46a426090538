package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/tidemark-desk/tidemark/internal/fault"
)

const (
	chunkBytes = 400 << 10 // of lines in one request; the server takes 1 MiB, and quotes are escaped
	chunkLines = 5_000     // in one request; the server takes 10,000
	lineKept   = 4 << 20   // bytes of a line that are kept; what is longer is no conversation
)

// line is one line of a file.
type line struct {
	number int // from 1
	raw    []byte
	cut    bool // raw is only its beginning
}

// eachChunk cuts a file into lines and puts them together to about chunkBytes. Blank lines count, and are in no chunk.
func eachChunk(in io.Reader, fn func(lines []line) error) error {
	reader := bufio.NewReaderSize(in, 256<<10)
	var current []line
	size := 0
	for number, ended := 1, false; !ended; number++ {
		next := line{number: number}
		var err error
		if next.raw, next.cut, err = readLine(reader); err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("line %d: %w", number, err)
		}
		ended = err != nil
		if len(bytes.TrimSpace(next.raw)) == 0 {
			continue
		}
		if len(current) > 0 && (size+len(next.raw) > chunkBytes || len(current) == chunkLines) {
			if err := fn(current); err != nil {
				return err
			}
			current, size = nil, 0
		}
		current = append(current, next)
		size += len(next.raw)
	}
	if len(current) == 0 {
		return nil
	}
	return fn(current)
}

// readLine reads up to the end of the line, which is left out. Of a line of more than lineKept bytes it keeps the
// beginning, so that a file that is one endless line cannot take all the memory. io.EOF comes with the last line.
func readLine(in *bufio.Reader) (kept []byte, cut bool, err error) {
	for {
		piece, err := in.ReadSlice('\n')
		room := lineKept - len(kept)
		if len(bytes.TrimRight(piece, "\r\n")) > room {
			cut = true
		}
		kept = append(kept, piece[:min(len(piece), room)]...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			if !cut {
				kept = bytes.TrimRight(kept, "\r\n")
			}
			return kept, cut, err
		}
	}
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
