package rebuild

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/projections"
	"github.com/tidemark-desk/tidemark/projections/search"
	"github.com/tidemark-desk/tidemark/projections/search/words"
)

const (
	listed     = 20   // differences that are told one by one
	perLookup  = 1000 // documents whose positions are asked for at once
	goldenMost = 50   // queries that are asked of both
)

// findings are what a verification has found so far.
type findings struct{ *search.Verified }

func (f findings) add(format string, args ...any) {
	f.Found++
	if len(f.Differences) < listed {
		f.Differences = append(f.Differences, fmt.Sprintf(format, args...))
	}
}

// compare holds the new index against the one that serves, document by document, a sample of it against the log, and what
// searches find in both. While it looks, the live indexer goes on; what seems to differ is looked at again while it does not.
func (j *Job) compare(ctx context.Context, sample int) (*search.Verified, error) {
	f := findings{&search.Verified{At: time.Now().UTC(), Counts: []search.StatusCount{}}}
	doubts, err := j.doubts(ctx)
	if err != nil {
		return nil, err
	}
	picked, err := j.survey(ctx, f, sample)
	if err != nil {
		return nil, err
	}
	same, err := j.same(ctx)
	if err != nil {
		return nil, err
	}
	asked, wrong, err := j.golden(ctx, picked, same)
	if err != nil {
		return nil, err
	}
	f.Queries = asked
	err = j.set.Still(ctx, search.RoleBuilding, func(serving, built search.Index) error {
		if err := settle(ctx, f, doubts, serving, built); err != nil {
			return err
		}
		for _, q := range wrong {
			what, err := q.ask(ctx, same, serving, built)
			if err != nil {
				return err
			}
			if what != "" {
				f.add("%s", what)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return f.Verified, j.refold(ctx, f, picked)
}

// same tells whether the index that serves cuts and lays out documents as this version does.
func (j *Job) same(ctx context.Context) (bool, error) {
	list, err := j.set.Indexes(ctx)
	for _, i := range list {
		if i.Role == search.RoleServing {
			return i.Fingerprint == j.cfg.Fingerprint, err
		}
	}
	return false, err
}

// doubts are conversations that one index has and the other has not, or that the new one has as older.
func (j *Job) doubts(ctx context.Context) ([]events.Aggregate, error) {
	var out []events.Aggregate
	look := func(from, in search.Role, differs func(from uint64, in search.Place) bool) error {
		return j.set.With(from, func(a search.Index) error {
			return j.set.With(in, func(b search.Index) error {
				if err := b.Refresh(ctx); err != nil {
					return err
				}
				if err := a.Refresh(ctx); err != nil {
					return err
				}
				return against(ctx, a, b, func(c events.Aggregate, from uint64, in search.Place) {
					if differs(from, in) {
						out = append(out, c)
					}
				})
			})
		})
	}
	return out, look(search.RoleServing, search.RoleBuilding, lacks)
}

// lacks tells whether the new index has less of a conversation than the one that serves.
func lacks(serving uint64, built search.Place) bool {
	return built.Position < serving || built.Gone && built.Position == serving
}

// against looks each document of an index up in another one.
func against(ctx context.Context, a, b search.Index, each func(c events.Aggregate, a uint64, b search.Place)) error {
	at := map[events.Aggregate]uint64{}
	lookUp := func() error {
		list := make([]events.Aggregate, 0, len(at))
		for c := range at {
			list = append(list, c)
		}
		other, err := b.Places(ctx, list)
		if err != nil {
			return err
		}
		for c, position := range at {
			each(c, position, other[c])
		}
		clear(at)
		return nil
	}
	err := a.Scan(ctx, func(s search.Scanned) error {
		at[s.Aggregate()] = s.Position
		if len(at) < perLookup {
			return nil
		}
		return lookUp()
	})
	if err != nil || len(at) == 0 {
		return err
	}
	return lookUp()
}

// settle looks at doubts again, while nothing is written. A conversation that the new index has and the serving one has not is one
// that the live indexer has yet to reach, or one that should not be there: the log tells.
func settle(ctx context.Context, f findings, doubts []events.Aggregate, serving, built search.Index) error {
	for part := range slices.Chunk(doubts, perLookup) {
		a, err := serving.Places(ctx, part)
		if err != nil {
			return err
		}
		b, err := built.Places(ctx, part)
		if err != nil {
			return err
		}
		for _, c := range part {
			switch {
			case a[c].Gone || !lacks(a[c].Position, b[c]):
			case b[c].Gone || b[c].Position == 0:
				f.add("%s/%s is missing: the serving index has it at %d", c.Org, c.ID, a[c].Position)
			default:
				f.add("%s/%s is at %d, and at %d in the serving index", c.Org, c.ID, b[c].Position, a[c].Position)
			}
		}
	}
	return nil
}

// survey counts the documents of the new index, and picks some at random.
func (j *Job) survey(ctx context.Context, f findings, sample int) ([]search.Scanned, error) {
	type group struct{ org, status string }
	counts := map[group]uint64{}
	var picked []search.Scanned
	seen := 0
	err := j.set.With(search.RoleBuilding, func(i search.Index) error {
		return i.Scan(ctx, func(s search.Scanned) error {
			if s.Aggregate().Kind == events.KindConversation {
				f.Documents++
				counts[group{s.Org, s.Status}]++
			} else {
				f.Customers++
			}
			seen++
			if len(picked) < sample {
				picked = append(picked, s)
			} else if n := rand.IntN(seen); n < sample { //nolint:gosec // a sample
				picked[n] = s
			}
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	for g, n := range counts {
		f.Counts = append(f.Counts, search.StatusCount{Org: g.org, Status: g.status, Count: n})
	}
	slices.SortFunc(f.Counts, func(a, b search.StatusCount) int {
		return cmp.Or(strings.Compare(a.Org, b.Org), strings.Compare(a.Status, b.Status))
	})
	return picked, nil
}

// refold folds the sample from the log, up to where the index has it, and compares field by field. It goes through the log in order:
// reading here and there in it would have the server hold far more of it in memory.
func (j *Job) refold(ctx context.Context, f findings, picked []search.Scanned) error {
	slices.SortFunc(picked, func(a, b search.Scanned) int { return cmp.Compare(a.Position, b.Position) })
	for _, s := range picked {
		a := s.Aggregate()
		var have *search.Document
		err := j.set.With(search.RoleBuilding, func(i search.Index) error {
			found, err := i.Have(ctx, []events.Aggregate{a})
			have = found[a]
			return err
		})
		if err != nil {
			return err
		}
		history, err := j.log.Read(ctx, a, 0)
		if err != nil {
			return fmt.Errorf("%w: read %s: %w", projections.ErrTransient, a, err)
		}
		if have == nil || len(history) == 0 {
			continue // taken out meanwhile
		}
		// What was dropped is stepped over: the index has what comes behind it.
		passed := projections.State{Progress: projections.Progress{Checkpoint: have.Position}}
		want, err := refold(a, history, passed, have.Position)
		if err != nil {
			return fmt.Errorf("fold %s: %w", a, err)
		}
		f.Sampled++
		if want.Erased {
			f.add("%s/%s is there, and was erased", a.Org, a.ID)
			continue
		}
		for _, name := range different(have, want) {
			f.add("%s/%s at %d: %s is not what the log says", a.Org, a.ID, have.Position, name)
		}
	}
	return nil
}

// different names the fields in which two documents differ. They are compared as they are kept.
func different(a, b *search.Document) []string {
	fields := func(d *search.Document) map[string]any {
		var out map[string]any
		raw, err := json.Marshal(d)
		if err == nil {
			err = json.Unmarshal(raw, &out)
		}
		if err != nil {
			return map[string]any{"document": err.Error()}
		}
		return out
	}
	x, y := fields(a), fields(b)
	var names []string
	for name := range x {
		if !reflect.DeepEqual(x[name], y[name]) {
			names = append(names, name)
		}
	}
	for name := range y {
		if _, has := x[name]; !has {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// question is some words that were said in a conversation, with its customer.
type question struct {
	of             events.Aggregate
	text, customer string
}

// questions are what is to be asked: of some of the sample, in no order.
func questions(ctx context.Context, picked []search.Scanned, built search.Index) ([]question, error) {
	list := make([]events.Aggregate, len(picked))
	for i, s := range picked {
		list[i] = s.Aggregate()
	}
	rand.Shuffle(len(list), func(i, k int) { list[i], list[k] = list[k], list[i] }) //nolint:gosec // a sample
	var out []question
	for part := range slices.Chunk(list, goldenMost) {
		found, err := built.Have(ctx, part)
		if err != nil {
			return nil, err
		}
		for _, a := range part {
			d := found[a]
			if d == nil {
				continue
			}
			if text := phrase(d); text != "" {
				out = append(out, question{of: a, text: text, customer: d.Customer})
			}
			if len(out) == goldenMost {
				return out, nil
			}
		}
	}
	return out, nil
}

// golden asks both indexes for conversations of the sample by what was said in them, while live work goes on. Those that are
// answered wrong may be new, and are to be asked again while it does not.
func (j *Job) golden(ctx context.Context, picked []search.Scanned, same bool) (asked int, wrong []question, err error) {
	err = j.set.With(search.RoleServing, func(serving search.Index) error {
		return j.set.With(search.RoleBuilding, func(built search.Index) error {
			all, err := questions(ctx, picked, built)
			asked = len(all)
			for _, q := range all {
				what, err := q.ask(ctx, same, serving, built)
				if err != nil {
					return err
				}
				if what != "" {
					wrong = append(wrong, q)
				}
			}
			return err
		})
	})
	return asked, wrong, err
}

// ask tells what is wrong with the answer; empty: nothing. The conversation must be found in the new index, and in both there must
// be as many, if both are made by the same rules.
func (q question) ask(ctx context.Context, same bool, serving, built search.Index) (wrong string, err error) {
	query := search.Query{
		Org: q.of.Org, Sort: search.SortRelevance, Limit: search.MaxLimit,
		Clauses: []search.Clause{{Kind: search.Phrase, Text: q.text}, {Kind: search.Field, Field: "customer", Text: q.customer}},
	}
	now, err := built.Search(ctx, query)
	if err != nil {
		return "", err
	}
	before, err := serving.Search(ctx, query)
	if err != nil {
		return "", err
	}
	found := slices.ContainsFunc(now.Hits, func(h search.Hit) bool { return h.ConversationID == q.of.ID })
	switch {
	case !found && now.After == nil:
		return fmt.Sprintf("%s/%s is not found by %q", q.of.Org, q.of.ID, q.text), nil
	case same && now.Total < before.Total:
		return fmt.Sprintf("%q finds %d conversations of %s, and %d in the serving index", q.text, now.Total, q.customer, before.Total), nil
	}
	return "", nil
}

// phrase is some words of a document that stand side by side.
func phrase(d *search.Document) string {
	if d.Customer == "" {
		return ""
	}
	for _, m := range d.Messages {
		fields := strings.Fields(strings.ReplaceAll(m.Text, `"`, " "))
		if text := strings.Join(fields[:min(3, len(fields))], " "); len(words.Places(text)) > 0 {
			return text
		}
	}
	return ""
}
