package channel

import (
	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/domain/refusal"
	"github.com/tidemark-desk/tidemark/internal/domain/text"
)

// How long a visitor may take to answer a survey, in hours.
const (
	UsualSurveyHours   = 7 * 24
	LongestSurveyHours = 366 * 24
)

// SetSurvey says whether visitors are asked how it went when their conversation is closed. It replaces the whole setting.
type SetSurvey struct {
	Enabled           bool
	Question          string // may be empty
	ExpiresAfterHours int    // 0: UsualSurveyHours
}

func (SetSurvey) channelCommand() {}

func (s State) setSurvey(c SetSurvey) ([]events.Event, error) {
	question, err := text.Line("question", c.Question, text.MaxLine)
	if err != nil {
		return nil, err
	}
	if c.ExpiresAfterHours == 0 {
		c.ExpiresAfterHours = UsualSurveyHours
	}
	if s.Type != events.ChannelChat || c.ExpiresAfterHours < 0 || c.ExpiresAfterHours > LongestSurveyHours {
		return nil, refusal.ErrSurveyInvalid
	}
	set := events.ChannelSurveySet{Enabled: c.Enabled, Question: question, ExpiresAfterHours: c.ExpiresAfterHours}
	if set == s.Survey || !c.Enabled && s.Survey == (events.ChannelSurveySet{}) {
		return nil, nil
	}
	return one(set)
}
