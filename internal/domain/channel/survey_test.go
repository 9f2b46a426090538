package channel_test

import (
	"testing"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/domain/channel"
	"github.com/tidemark-desk/tidemark/internal/domain/refusal"
)

func TestSurveySetting(t *testing.T) {
	t.Parallel()
	site := events.ChannelCreated{Type: events.ChannelChat, Name: "Site", SiteKey: "site"}
	mail := events.ChannelCreated{Type: events.ChannelEmail, Name: "Mail"}
	week := events.ChannelSurveySet{Enabled: true, Question: "How was it?", ExpiresAfterHours: 168}
	off := week
	off.Enabled = false
	run(t, []row{
		{"on, for a week by default", is(site), channel.SetSurvey{Enabled: true, Question: " How was it? "}, is(week), nil},
		{"the same again", is(site, week), channel.SetSurvey{Enabled: true, Question: "How was it?"}, nil, nil},
		{
			"another question and time", is(site, week),
			channel.SetSurvey{Enabled: true, ExpiresAfterHours: 1},
			is(events.ChannelSurveySet{Enabled: true, ExpiresAfterHours: 1}), nil,
		},
		{"off", is(site, week), channel.SetSurvey{Question: "How was it?"}, is(off), nil},
		{"off as ever", is(site), channel.SetSurvey{}, nil, nil},
		{"of mail", is(mail), channel.SetSurvey{Enabled: true}, nil, refusal.ErrSurveyInvalid},
		{"the longest", is(site), channel.SetSurvey{Enabled: true, ExpiresAfterHours: 8784}, is(events.ChannelSurveySet{Enabled: true, ExpiresAfterHours: 8784}), nil},
		{"too long", is(site), channel.SetSurvey{Enabled: true, ExpiresAfterHours: 8785}, nil, refusal.ErrSurveyInvalid},
		{"too short", is(site), channel.SetSurvey{Enabled: true, ExpiresAfterHours: -1}, nil, refusal.ErrSurveyInvalid},
		{"two lines", is(site), channel.SetSurvey{Enabled: true, Question: "a\nb"}, nil, refusal.ErrTextInvalid},
		{"no channel", nil, channel.SetSurvey{Enabled: true}, nil, refusal.ErrChannelNotFound},
	})
}
