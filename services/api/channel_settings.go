package api

import (
	"context"
	"time"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/command"
	"github.com/tidemark-desk/tidemark/internal/directory"
	"github.com/tidemark-desk/tidemark/internal/domain/channel"
)

// ChannelSettings is how a chat channel is set, as it is read and as it is changed.
type ChannelSettings struct {
	Greeting    *string      `json:"greeting,omitempty" maxLength:"1000" doc:"What a visitor reads before anybody wrote; empty: nothing."`
	Theme       *Theme       `json:"theme,omitempty"`
	Languages   *Languages   `json:"languages,omitempty"`
	PreChatForm *PreChatForm `json:"pre_chat_form,omitempty"`
	OfficeHours *OfficeHours `json:"office_hours,omitempty"`
	AwayText    *string      `json:"away_text,omitempty" maxLength:"1000" doc:"What a visitor reads outside of office hours; empty: nothing."`
}

// Theme is how a chat looks.
type Theme struct {
	Colour   string               `json:"colour,omitempty" maxLength:"7" example:"#1d4ed8" doc:"#rrggbb. In a change, a part of the theme that is absent stays."`
	Position events.ThemePosition `json:"position,omitempty" enum:"left,right"`
	Mode     events.ThemeMode     `json:"mode,omitempty" enum:"auto,light,dark" doc:"auto: as the visitor's system is set."`
}

// Languages are those that a chat offers.
type Languages struct {
	Languages []string `json:"languages" nullable:"false" maxItems:"50" example:"[\"de\",\"pt-BR\"]" doc:"BCP 47 tags, in the order in which they are offered; none: those that the widget has."`
	Default   string   `json:"default,omitempty" maxLength:"12" doc:"For who speaks none of them. One of them; absent in a change: the first."`
}

// PreChatForm is what a chat asks before the first message.
type PreChatForm struct {
	Fields []PreChatField `json:"fields" nullable:"false" maxItems:"10" doc:"In their order; none: nothing is asked."`
}

// PreChatField is one question of it.
type PreChatField struct {
	Name     string              `json:"name" minLength:"1" maxLength:"64" doc:"name, email and phone are the visitor's own; others are attributes."`
	Label    string              `json:"label,omitempty" maxLength:"200" doc:"May be absent for the visitor's own: the widget has words for them."`
	Input    events.PreChatInput `json:"input,omitempty" enum:"text,email,phone,choice" doc:"Absent: what the name says, or text."`
	Required bool                `json:"required,omitempty"`
	Options  []string            `json:"options,omitempty" maxItems:"20" doc:"Of a choice."`
}

// OfficeHours are when somebody is there to answer.
type OfficeHours struct {
	Timezone string           `json:"timezone,omitempty" maxLength:"64" example:"Europe/Berlin" doc:"As in the IANA database. Absent in a change: it stays."`
	Weekly   []OfficeInterval `json:"weekly" nullable:"false" maxItems:"50" doc:"By the clock of that place; none: always open."`
}

// OfficeInterval is a time within one day.
type OfficeInterval struct {
	Day  string `json:"day" enum:"monday,tuesday,wednesday,thursday,friday,saturday,sunday"`
	From string `json:"from" maxLength:"5" example:"09:00" doc:"Open from this minute on."`
	To   string `json:"to" maxLength:"5" example:"17:30" doc:"And no longer at this one; 24:00 is the end of the day."`
}

// ChangeChannel is the input of a change; what is absent stays.
type ChangeChannel struct {
	ByID
	Writing
	Body struct {
		Name    *string   `json:"name,omitempty" minLength:"1" maxLength:"200"`
		Origins *[]string `json:"origins,omitempty" maxItems:"100" doc:"Web origins that may open chat sessions; none: any."`
		ChannelSettings
	}
}

// changeChannel makes all of a change or nothing.
func (s *Service) changeChannel(ctx context.Context, in *ChangeChannel) (*Written[Done], error) {
	if h := in.Body.OfficeHours; h != nil && h.Timezone != "" {
		if _, err := time.LoadLocation(h.Timezone); err != nil || h.Timezone == "Local" {
			return nil, wrong("body.office_hours.timezone", "is not in the IANA database")
		}
	}
	org := callerOf(ctx).OrgID
	r, err := s.Loop.Atomic(ctx, in.meta(ctx, in.Body), func(tx *command.Tx) error {
		var all []channel.Command
		if in.Body.Name != nil {
			all = append(all, channel.Rename{Name: *in.Body.Name})
		}
		if in.Body.Origins != nil {
			all = append(all, channel.SetOrigins{Origins: *in.Body.Origins})
		}
		all = append(all, in.Body.commands()...)
		if len(all) == 0 { // a change of nothing has a position too
			state, _, err := command.Peek(tx, s.channels, org, in.ID)
			if err != nil {
				return err
			}
			all = append(all, channel.Rename{Name: state.Name})
		}
		for _, c := range all {
			if err := command.Stage(tx, s.channels, org, in.ID, c); err != nil {
				return err
			}
		}
		return nil
	})
	return s.configured(ctx, in.ID, r, err)
}

func (c ChannelSettings) commands() []channel.Command {
	var all []channel.Command
	if c.Greeting != nil {
		all = append(all, channel.SetGreeting{Greeting: *c.Greeting})
	}
	if c.Theme != nil {
		all = append(all, channel.SetTheme{ChannelTheme: events.ChannelTheme(*c.Theme)})
	}
	if c.Languages != nil {
		all = append(all, channel.SetLanguages{ChannelLanguages: events.ChannelLanguages(*c.Languages)})
	}
	if c.PreChatForm != nil {
		all = append(all, channel.SetPreChatForm{
			Fields: each(c.PreChatForm.Fields, func(f PreChatField) events.PreChatField { return events.PreChatField(f) }),
		})
	}
	if c.OfficeHours != nil {
		all = append(all, channel.SetOfficeHours{OfficeHours: events.OfficeHours{
			Timezone: c.OfficeHours.Timezone,
			Weekly:   each(c.OfficeHours.Weekly, func(i OfficeInterval) events.OfficeInterval { return events.OfficeInterval(i) }),
		}})
	}
	if c.AwayText != nil {
		all = append(all, channel.SetAwayText{AwayText: *c.AwayText})
	}
	return all
}

// settingsOf is empty for a channel that is no chat.
func settingsOf(c directory.Channel) ChannelSettings {
	if c.Type != events.ChannelChat {
		return ChannelSettings{}
	}
	chat := c.Chat
	theme := Theme(chat.Theme)
	return ChannelSettings{
		Greeting:  &chat.Greeting,
		Theme:     &theme,
		Languages: &Languages{Languages: append([]string{}, chat.Languages.Languages...), Default: chat.Languages.Default},
		PreChatForm: &PreChatForm{
			Fields: each(chat.PreChatForm, func(f events.PreChatField) PreChatField { return PreChatField(f) }),
		},
		OfficeHours: &OfficeHours{
			Timezone: chat.Hours.Timezone,
			Weekly:   each(chat.Hours.Weekly, func(i events.OfficeInterval) OfficeInterval { return OfficeInterval(i) }),
		},
		AwayText: &chat.AwayText,
	}
}
