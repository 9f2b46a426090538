package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"time"
)

// importFile runs 'tidemark import' and gives the messages that it brought in and the time that it took.
func importFile(ctx context.Context, o Options, data, file string) (messages int, took time.Duration, err error) {
	began := time.Now()
	command := exec.CommandContext(ctx, o.Binary, "--json", "import", "--data", data, //nolint:gosec // our own program
		"--rejected", file+".rejected", file)
	out, err := command.Output()
	took = time.Since(began)
	if err != nil {
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			return 0, 0, fmt.Errorf("import %s: %w\n%.500s", file, err, exit.Stderr)
		}
		return 0, 0, fmt.Errorf("import %s: %w", file, err)
	}
	var report struct {
		Messages int `json:"messages"`
	}
	if err := json.Unmarshal(out, &report); err != nil {
		return 0, 0, fmt.Errorf("read what the import says: %w", err)
	}
	return report.Messages, took, nil
}

// imports measures 'tidemark import' against atomic batches of 200, before and after it.
func imports(ctx context.Context, o Options, dir string, give func(Result)) (err error) {
	const batch = 200
	file := filepath.Join(dir, "records.jsonl")
	wanted, source, err := records(o, file, o.Size)
	if err != nil {
		return err
	}
	raw, err := openRaw(ctx, o, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, raw.log.Close()) }()
	data := filepath.Join(dir, "server")
	s, err := start(ctx, o, data, "--targets", "api,chat")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	limit := load{latencies: newLatencies()}
	measure := func() error {
		o.Say("atomic batches of %d into the raw log", batch)
		part, err := raw.batches(ctx, batch, o.span(4), sampleText)
		limit = limit.plus(part)
		return err
	}
	if err := measure(); err != nil {
		return err
	}
	o.Say("importing %d %s", wanted, source)
	got, took, err := importFile(ctx, o, data, file)
	if err != nil {
		return err
	}
	if got != wanted {
		return fmt.Errorf("the import brought in %d messages of %d", got, wanted)
	}
	if err := measure(); err != nil {
		return err
	}
	r := Result{
		What:  fmt.Sprintf("import %d %s", got, source),
		Value: float64(got) / took.Seconds(), Unit: "messages/s", Raw: limit.perSecond(),
		Goal: "≥ 0.4 × atomic batches of 200, synced",
	}
	r.Ratio = r.Value / r.Raw
	r.Met = r.Ratio >= 0.4
	give(r)
	return nil
}
