package survey

import (
	"context"
	_ "embed" // the schema
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/projections"
	"github.com/tidemark-desk/tidemark/services/survey/db"
)

//go:embed schema.sql
var schema string

// Name of the projection behind survey, and of its schema.
const Name = "survey"

// patience is how long a batch waits for the directory to have seen its events.
const patience = 5 * time.Second

// handler counts closings, and writes down which of them are to be asked about. What it writes depends on the log alone:
// on the events, and on the settings of channels, which the directory folds from the same log.
type handler struct{ directory Directory }

var _ projections.Reactor = (*handler)(nil)

func (*handler) Name() string { return Name }

func (*handler) Kinds() []events.Kind { return []events.Kind{events.KindConversation} }

func (*handler) Schema() string { return schema }

// Reacts lets the engine know of the intents.
func (*handler) Reacts() {}

func (h *handler) Apply(ctx context.Context, tx pgx.Tx, in []events.Recorded) error {
	if err := h.awaitSettings(ctx, in); err != nil {
		return err
	}
	q := db.New(tx)
	b := batch{known: map[key]known{}, changed: map[key]bool{}, over: map[string][]string{}}
	if err := b.load(ctx, q, in); err != nil {
		return err
	}
	for _, r := range in {
		if err := b.apply(h.directory, r); err != nil {
			return err
		}
	}
	if err := b.save(ctx, q); err != nil {
		return err
	}
	// A timer may begin and end in one batch: it is written before it is cancelled.
	if err := projections.WriteIntents(ctx, tx, b.intents); err != nil {
		return err
	}
	for org, ids := range b.over {
		if err := projections.CancelIntents(ctx, tx, org, ids...); err != nil {
			return err
		}
	}
	return nil
}

// awaitSettings makes sure that every setting older than the batch is known. When the directory does not get there in
// time that is nobody's fault but the log's, and the batch is tried again.
func (h *handler) awaitSettings(ctx context.Context, batch []events.Recorded) error {
	var newest uint64
	for _, r := range batch {
		newest = max(newest, r.Sequence)
	}
	bounded, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := h.directory.WaitFor(bounded, newest); err != nil {
		return errors.Join(projections.ErrTransient, fmt.Errorf("wait for the channels as of %d: %w", newest, err))
	}
	return nil
}

type key struct{ org, id string }

// known is what is known of a conversation: nothing, unless it is a chat that began on a channel.
type known struct {
	channel  string
	closings int
}

// batch is what a batch makes of what was known.
type batch struct {
	known   map[key]known
	changed map[key]bool // to be written, or forgotten when it is no longer known
	intents []projections.Intent
	over    map[string][]string // by org: timers that are needed no more
}

// load reads what is known of conversations that do not begin in the batch, and may be closed in it.
func (b *batch) load(ctx context.Context, q *db.Queries, in []events.Recorded) error {
	var ask db.KnownParams
	seen := map[key]bool{}
	for _, r := range in {
		k := key{r.Org, r.Aggregate.ID}
		switch r.Event.(type) {
		case events.ConversationOpened:
			seen[k] = true
		case events.ConversationClosed:
			if !seen[k] {
				seen[k] = true
				ask.Orgs, ask.Ids = append(ask.Orgs, k.org), append(ask.Ids, k.id)
			}
		}
	}
	if len(ask.Ids) == 0 {
		return nil
	}
	rows, err := q.Known(ctx, ask)
	if err != nil {
		return fmt.Errorf("read conversations: %w", err)
	}
	for _, row := range rows {
		b.known[key{row.Org, row.ID}] = known{channel: row.ChannelID, closings: int(row.Closings)}
	}
	return nil
}

func (b *batch) apply(d Directory, r events.Recorded) error {
	k := key{r.Org, r.Aggregate.ID}
	switch e := r.Event.(type) {
	case events.Unknown:
		return fmt.Errorf("%s at %d: %s: %s", r.Aggregate, r.Sequence, e.Type, e.Reason)
	case events.ConversationOpened:
		if e.Channel == events.ChannelChat && e.ChannelID != "" {
			b.known[k], b.changed[k] = known{channel: e.ChannelID}, true
		}
	case events.ConversationClosed:
		c, chat := b.known[k]
		if !chat {
			return nil
		}
		c.closings++
		b.known[k], b.changed[k] = c, true
		if in, owed := ask(d, r, c); owed {
			b.intents = append(b.intents, in)
		}
	case events.ConversationSurveyRequested:
		b.intents = append(b.intents, expire(r, e))
	case events.ConversationSurveyAnswered:
		b.end(r.Org, e.SurveyID)
	case events.ConversationSurveyExpired:
		b.end(r.Org, e.SurveyID)
	case events.ConversationSurveyExcused:
		b.end(r.Org, e.SurveyID)
	case events.ConversationErased:
		delete(b.known, k)
		b.changed[k] = true
	}
	return nil
}

// end says that a survey needs its timer no more.
func (b *batch) end(org, surveyID string) {
	b.over[org] = append(b.over[org], expireID(surveyID))
}

func (b *batch) save(ctx context.Context, q *db.Queries) error {
	var put db.PutParams
	var forget db.ForgetParams
	for k := range b.changed {
		c, there := b.known[k]
		if !there {
			forget.Orgs, forget.Ids = append(forget.Orgs, k.org), append(forget.Ids, k.id)
			continue
		}
		put.Orgs, put.Ids = append(put.Orgs, k.org), append(put.Ids, k.id)
		put.ChannelIds, put.Closings = append(put.ChannelIds, c.channel), append(put.Closings, int32(c.closings)) //nolint:gosec // nobody closes that often
	}
	if len(put.Ids) > 0 {
		if err := q.Put(ctx, put); err != nil {
			return fmt.Errorf("write conversations: %w", err)
		}
	}
	if len(forget.Ids) > 0 {
		if err := q.Forget(ctx, forget); err != nil {
			return fmt.Errorf("forget conversations: %w", err)
		}
	}
	return nil
}
