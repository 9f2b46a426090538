package survey

import (
	"encoding/json"
	"time"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/command"
	"github.com/tidemark-desk/tidemark/projections"
)

// What is asked of the performer.
const (
	intentAsk    = "ask"
	intentExpire = "expire"
)

// asking is the payload of an intent to ask: the setting as it was for the closing.
type asking struct {
	ConversationID    string `json:"conversation_id"`
	SurveyID          string `json:"survey_id"`
	Closing           int    `json:"closing"`
	ChannelID         string `json:"channel_id"`
	Question          string `json:"question"`
	ExpiresAfterHours int    `json:"expires_after_hours"`
}

// expiring is the payload of a timer.
type expiring struct {
	ConversationID string `json:"conversation_id"`
	SurveyID       string `json:"survey_id"`
}

// ask is the intent of a closing; owed is false when its channel did not ask for a survey then.
func ask(d Directory, r events.Recorded, c known) (in projections.Intent, owed bool) {
	if r.Actor.Type == events.ActorImport {
		return in, false
	}
	channel, ok := d.Channel(r.Org, c.channel)
	if !ok {
		return in, false
	}
	set, ok := channel.SurveyAt(r.Sequence)
	if !ok {
		return in, false
	}
	id := command.DeriveID("survey", r.Aggregate.ID, r.Metadata.ID)
	return projections.Intent{
		ID: "survey:" + id + ":ask", Org: r.Org, Kind: intentAsk, Key: r.Aggregate.ID, Cause: r.Sequence, Depth: r.Depth + 1,
		Payload: encode(asking{
			ConversationID: r.Aggregate.ID, SurveyID: id, Closing: c.closings,
			ChannelID: c.channel, Question: set.Question, ExpiresAfterHours: set.ExpiresAfterHours,
		}),
	}, true
}

// expire is the timer of a survey. It has a key of its own: what waits for a week must hold nothing up.
func expire(r events.Recorded, e events.ConversationSurveyRequested) projections.Intent {
	return projections.Intent{
		ID: expireID(e.SurveyID), Org: r.Org, Kind: intentExpire, Key: e.SurveyID, Cause: r.Sequence, Depth: r.Depth + 1,
		DueAt: e.ExpiresAt, Payload: encode(expiring{ConversationID: r.Aggregate.ID, SurveyID: e.SurveyID}),
	}
}

// expireID names the command that ends a survey.
func expireID(surveyID string) string { return "survey:" + surveyID + ":expire" }

func encode(v any) json.RawMessage {
	raw, _ := json.Marshal(v) //nolint:errchkjson // strings and numbers always encode
	return raw
}

// lasts is for how long the visitor may answer.
func (a asking) lasts() time.Duration { return time.Duration(a.ExpiresAfterHours) * time.Hour }
