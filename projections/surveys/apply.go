package surveys

import (
	"context"
	_ "embed" // the schema
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/projections/internal/pgtext"
	"github.com/tidemark-desk/tidemark/projections/surveys/db"
)

//go:embed schema.sql
var schema string

// Projection writes the surveys. A batch costs one read of the rows that it goes on with, and one COPY of all rows that it
// touched.
type Projection struct{}

// Name of the projection and of its schema.
func (Projection) Name() string { return "surveys" }

// Kinds that surveys are made of.
func (Projection) Kinds() []events.Kind { return []events.Kind{events.KindConversation} }

// Schema is the DDL of its tables.
func (Projection) Schema() string { return schema }

// Apply writes what the batch means.
func (Projection) Apply(ctx context.Context, tx pgx.Tx, batch []events.Recorded) error {
	q := db.New(tx)
	var take db.TakeParams
	var forget db.ForgetParams
	rows, asked := map[key]db.Survey{}, map[key]bool{}
	for _, r := range batch {
		if u, unknown := r.Event.(events.Unknown); unknown {
			return fmt.Errorf("%s at %d: %s: %s", r.Aggregate, r.Sequence, u.Type, u.Reason)
		}
		if _, erased := r.Event.(events.ConversationErased); erased {
			forget.Orgs, forget.ConversationIds = append(forget.Orgs, r.Org), append(forget.ConversationIds, r.Aggregate.ID)
		}
		if id := surveyID(r.Event); id != "" && !asked[key{r.Org, id}] {
			asked[key{r.Org, id}] = true
			take.Orgs, take.Ids = append(take.Orgs, r.Org), append(take.Ids, id)
		}
	}
	if len(take.Ids) > 0 {
		found, err := q.Take(ctx, take)
		if err != nil {
			return fmt.Errorf("read surveys: %w", err)
		}
		for _, row := range found {
			rows[key{row.Org, row.ID}] = row
		}
	}
	for _, r := range batch {
		fold(rows, r)
	}
	if len(forget.Orgs) > 0 {
		if err := q.Forget(ctx, forget); err != nil {
			return fmt.Errorf("forget surveys: %w", err)
		}
	}
	put := make([]db.PutParams, 0, len(rows))
	for _, row := range rows {
		put = append(put, db.PutParams(row))
	}
	if len(put) == 0 {
		return nil
	}
	if _, err := q.Put(ctx, put); err != nil {
		return fmt.Errorf("write surveys: %w", err)
	}
	return nil
}

// key names a survey.
type key struct{ org, id string }

// surveyID is the survey that an event is about; empty for every other event.
func surveyID(e events.Event) string {
	switch e := e.(type) {
	case events.ConversationSurveyRequested:
		return e.SurveyID
	case events.ConversationSurveyAnswered:
		return e.SurveyID
	case events.ConversationSurveyExpired:
		return e.SurveyID
	case events.ConversationSurveyExcused:
		return e.SurveyID
	}
	return ""
}

// fold applies one event to the rows. What is told of a survey that is not there was erased, and is passed over.
func fold(rows map[key]db.Survey, r events.Recorded) {
	if _, erased := r.Event.(events.ConversationErased); erased {
		for k, row := range rows {
			if k.org == r.Org && row.ConversationID == r.Aggregate.ID {
				delete(rows, k)
			}
		}
		return
	}
	k := key{r.Org, surveyID(r.Event)}
	row, there := rows[k]
	switch e := r.Event.(type) {
	case events.ConversationSurveyRequested:
		row = begin(r, k.id, e.ChannelID, e.QueueID, e.AgentID)
		row.Asked, row.Status = true, statusWaiting
	case events.ConversationSurveyExcused:
		if !there {
			row = begin(r, k.id, e.ChannelID, e.QueueID, e.AgentID)
		}
		row.Status = statusExcused
	case events.ConversationSurveyAnswered:
		row.Status, row.Score, row.Comment = statusAnswered, int16(e.Score), pgtext.Clean(e.Comment) //nolint:gosec // 1 to 5
	case events.ConversationSurveyExpired:
		row.Status = statusExpired
	default:
		return
	}
	if row.ID == "" {
		return
	}
	row.Sequence = int64(r.Sequence) //nolint:gosec // a stream does not reach 2^63
	rows[k] = row
}

func begin(r events.Recorded, id, channel, queue, agent string) db.Survey {
	return db.Survey{
		Org: r.Org, ID: id, ConversationID: r.Aggregate.ID, ChannelID: channel, QueueID: queue, AgentID: agent,
		DecidedAt: pgtext.Time(r.Time),
	}
}
