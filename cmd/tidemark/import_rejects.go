package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"unicode/utf8"
)

// rejectsSaid is how many rejected lines are printed as they come; the file has them all.
const rejectsSaid = 20

// rejects is the file of the lines that could not be imported. It is made with the first of them.
type rejects struct {
	path  string
	err   io.Writer // for people
	count int
	file  *os.File
}

// rejectedLine is what is kept of a line that could not be imported.
type rejectedLine struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Code   string `json:"code"`
	Detail string `json:"detail"`
	Text   string `json:"text,omitempty"` // the line as it was
	Raw    []byte `json:"raw,omitempty"`  // instead, of a line that is no text
	Cut    bool   `json:"cut,omitempty"`  // only its beginning is kept
}

// add keeps a line and what is wrong with it; the first few are also said at once.
func (r *rejects) add(name string, l line, code, detail string) error {
	r.count++
	if r.file == nil {
		f, err := os.Create(r.path)
		if err != nil {
			return fmt.Errorf("keep rejected lines: %w; name a file that can be written with --rejected", err)
		}
		r.file = f
	}
	if r.count <= rejectsSaid {
		_, _ = fmt.Fprintf(r.err, "%s:%d: %s [%s]\n", name, l.number, detail, code)
	}
	kept := rejectedLine{File: name, Line: l.number, Code: code, Detail: detail, Cut: l.cut}
	if utf8.Valid(l.raw) {
		kept.Text = string(l.raw)
	} else {
		kept.Raw = l.raw
	}
	encoder := json.NewEncoder(r.file)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(kept); err != nil {
		return fmt.Errorf("keep rejected lines: %w", err)
	}
	return nil
}

func (r *rejects) close() error {
	if r.file == nil {
		return nil
	}
	return r.file.Close()
}
