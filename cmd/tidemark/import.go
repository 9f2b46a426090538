package main

import (
	"context"
	"errors"

	"github.com/tidemark-desk/tidemark/internal/importer"
)

// importCommand brings files in.
type importCommand struct {
	Client   clientFlags `embed:""`
	Files    []string    `arg:"" name:"file" help:"JSONL files, plain or gzip; - for standard input."`
	Rejected string      `help:"Where lines that cannot be imported are kept, with the reasons." default:"./rejected.jsonl" placeholder:"FILE"`
}

// Run imports every file; running it again adds nothing that is there, so it is also how an import is resumed.
func (c *importCommand) Run(ctx context.Context, p *printer, s streams) error {
	server, err := c.Client.connect()
	if err != nil {
		return err
	}
	job := &importJob{server: server, rejects: rejects{path: c.Rejected, err: s.err}}
	for _, name := range c.Files {
		if err := job.file(ctx, name, s); err != nil {
			return errors.Join(err, job.rejects.close(), c.report(p, job))
		}
	}
	if err := errors.Join(job.rejects.close(), c.report(p, job)); err != nil {
		return err
	}
	if job.rejects.count > 0 {
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
		}{t, job.rejects.count, job.position()})
	}
	p.say("conversations  %d new, %d longer than before, %d as they were", t.Created, t.Extended, t.Unchanged)
	p.say("messages       %d new", t.Messages)
	p.say("customers      %d new", t.Customers)
	if job.rejects.count > 0 {
		p.say("rejected       %d lines, kept with the reasons in %s", job.rejects.count, c.Rejected)
	}
	return nil
}
