package bench

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	talkEvents   = 22 // of a seeded conversation and its customer
	talkMessages = 20
)

// flatness measures what accepting a message, and writing and applying an event, cost with a small log and with one ten
// times as large.
func flatness(ctx context.Context, o Options, dir string, give func(Result)) error {
	large := sizeOr(o, 1_000_000)
	small := large / 10
	if err := prepare(ctx, o, dir); err != nil {
		return err
	}
	var accepted, appended, applied [2]float64 // µs an event
	before := 0
	for i, upto := range []int{small, large} {
		began := time.Now()
		ids, _, err := seed(ctx, o, dir, shape{conversations: max(1, (upto-before)/talkEvents), messages: talkMessages, atOnce: 200})
		if err != nil {
			return err
		}
		appended[i] = float64(time.Since(began).Microseconds()) / float64(upto-before)
		before = upto
		if accepted[i], err = acceptCost(ctx, o, dir, ids[:min(len(ids), 1000)]); err != nil {
			return err
		}
		if applied[i], err = applyCost(ctx, o, dir); err != nil {
			return err
		}
	}
	for _, line := range []struct {
		what string
		cost [2]float64
	}{
		{"accepting a message over HTTP by 16 callers", accepted},
		{"writing an event in batches, from the start of the log and after the first tenth", appended},
		{"applying an event to the read models, from the start of the log and after the first tenth", applied},
	} {
		if line.cost[0] == 0 || line.cost[1] == 0 {
			o.Say("%s: too few events to tell", line.what)
			continue
		}
		r := Result{
			What:  fmt.Sprintf("%s: at %d events against %d", line.what, large, small),
			Value: line.cost[1], Unit: "µs/event", Raw: line.cost[0], Ratio: line.cost[1] / line.cost[0],
			Goal: "flat within 20 %: ≤ 1.2 ×",
		}
		r.Met = r.Ratio <= 1.2
		give(r)
	}
	return nil
}

func acceptCost(ctx context.Context, o Options, dir string, ids []string) (cost float64, err error) {
	s, err := start(ctx, o, dir, "--targets", "api,chat")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	if err := s.migrated(ctx); err != nil { // so that a database that starts does not disturb
		return 0, err
	}
	if _, err := post(ctx, s, ids, 16, o.span(5)); err != nil { // warms the conversations
		return 0, err
	}
	o.Say("16 callers")
	got, err := post(ctx, s, ids, 16, o.span(2))
	return 1e6 / got.perSecond(), err
}

// applyCost lets the read models catch up; 0 when they had nothing to do. The time runs from the first look at them, not
// from the start of the database.
func applyCost(ctx context.Context, o Options, dir string) (cost float64, err error) {
	s, err := start(ctx, o, dir, "--targets", "api,projections")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	if err := s.migrated(ctx); err != nil {
		return 0, err
	}
	var first uint64
	var began time.Time
	err = pollLag(ctx, s, readModels, func(lag uint64) bool {
		if began.IsZero() {
			first, began = lag, time.Now()
			o.Say("%d events behind", first)
		}
		return lag == 0
	})
	if err != nil || first == 0 {
		return 0, err
	}
	return float64(time.Since(began).Microseconds()) / float64(first), nil
}

// startup measures the time to the first answer and the memory of a server on a long log.
func startup(ctx context.Context, o Options, dir string, give func(Result)) error {
	size := sizeOr(o, 1_000_000)
	if err := prepare(ctx, o, dir); err != nil {
		return err
	}
	if _, _, err := seed(ctx, o, dir, shape{conversations: max(1, size/talkEvents), messages: talkMessages, atOnce: 200}); err != nil {
		return err
	}
	for _, targets := range []string{"api,chat", "all"} {
		if err := startOnce(ctx, o, dir, size, targets, give); err != nil {
			return err
		}
	}
	return nil
}

func startOnce(ctx context.Context, o Options, dir string, size int, targets string, give func(Result)) (err error) {
	o.Say("starting %s", targets)
	s, err := start(ctx, o, dir, "--targets", targets)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	if err := s.migrated(ctx); err != nil {
		return err
	}
	settle := time.NewTimer(o.span(5))
	defer settle.Stop()
	select { // memory is told once the start is over
	case <-ctx.Done():
		return ctx.Err()
	case <-settle.C:
	}
	note := ""
	if targets == "all" {
		note = ", while the read models are made from it"
	}
	r := Result{
		What:  fmt.Sprintf("start of %s on a log of %d events until it serves%s", targets, size, note),
		Value: s.serving.Sub(s.started).Seconds(), Unit: "s", Goal: "≤ 2 s",
	}
	r.Met = r.Value <= 2
	give(r)
	resident, err := s.residentMB()
	if err != nil {
		return err
	}
	r = Result{
		What:  fmt.Sprintf("memory of %s on a log of %d events, Postgres apart%s", targets, size, note),
		Value: resident, Unit: "MB resident", Goal: "≤ 150 MB",
	}
	r.Met = r.Value <= 150
	give(r)
	return nil
}
