package api

import (
	"context"
	"crypto/rand"
	"net/http"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/command"
	"github.com/tidemark-desk/tidemark/internal/directory"
	"github.com/tidemark-desk/tidemark/internal/domain/channel"
	"github.com/tidemark-desk/tidemark/internal/domain/refusal"
)

// Channel is a way for customers to reach the desk.
type Channel struct {
	ID       string         `json:"id"`
	Type     events.Channel `json:"type" enum:"chat,email,sms,x,facebook"`
	Name     string         `json:"name"`
	SiteKey  string         `json:"site_key,omitempty" doc:"The public name by which a chat widget finds the channel."`
	Origins  []string       `json:"origins" nullable:"false" doc:"Web origins that may open chat sessions; none: any."`
	Disabled bool           `json:"disabled"`

	IdentityVersion  int            `json:"identity_version" doc:"Of the secret that proves who visitors are: this one and the one before hold; 0: there is none."`
	IdentityRequired bool           `json:"identity_required" doc:"Only visitors whose site has proven who they are are taken."`
	Survey           *ChannelSurvey `json:"survey" doc:"Whether visitors are asked how it went; null when that was never set."`

	ChannelSettings
}

// ChannelSurvey is whether visitors of a channel are asked how it went when their conversation is closed.
type ChannelSurvey struct {
	Enabled           bool   `json:"enabled"`
	Question          string `json:"question" doc:"Empty: whoever shows the survey has words of their own."`
	ExpiresAfterHours int    `json:"expires_after_hours" doc:"From when the visitor was asked."`
}

func (s *Service) registerChannels() {
	const tag = "Channels"
	add(s, operation{id: "list-channels", method: http.MethodGet, path: "/v1/channels", tag: tag, summary: "List channels"}, s.listChannels)
	add(s, operation{
		id: "get-channel", method: http.MethodGet, path: "/v1/channels/{id}", tag: tag, summary: "Get a channel",
		codes: []string{"channel_not_found"},
	}, s.getChannel)
	add(s, operation{
		id: "create-channel", method: http.MethodPost, path: "/v1/channels", tag: tag, status: http.StatusCreated, admin: true,
		summary: "Set a channel up", doc: "A chat channel gets a site key.",
		codes: []string{"text_invalid", "channel_invalid", "origins_invalid", "channel_exists"},
	}, s.createChannel)
	add(s, operation{
		id: "change-channel", method: http.MethodPatch, path: "/v1/channels/{id}", tag: tag, admin: true, summary: "Change a channel",
		doc: "What is absent stays. Only a chat channel has more than a name and origins.",
		codes: []string{
			"channel_not_found", "channel_not_chat", "text_invalid", "origins_invalid", "theme_invalid", "languages_invalid",
			"pre_chat_form_invalid", "office_hours_invalid", "timezone_invalid",
		},
	}, s.changeChannel)
	add(s, operation{
		id: "set-origins", method: http.MethodPut, path: "/v1/channels/{id}/origins", tag: tag, admin: true,
		summary: "Set which web origins may open chat sessions", codes: []string{"channel_not_found", "origins_invalid"},
	}, s.setOrigins)
	add(s, operation{
		id: "set-survey", method: http.MethodPut, path: "/v1/channels/{id}/survey", tag: tag, admin: true,
		summary: "Say whether visitors are asked how it went",
		doc:     "Each later closing of one of the channel's conversations is asked about once; one that is opened again meanwhile is excused. Only for chat.",
		codes:   []string{"channel_not_found", "survey_invalid", "text_invalid"},
	}, s.setSurvey)
	add(s, operation{
		id: "enable-channel", method: http.MethodPut, path: "/v1/channels/{id}/enabled", tag: tag, admin: true,
		summary: "Stop a channel, or start it again", codes: []string{"channel_not_found", "text_invalid"},
	}, s.enableChannel)
	s.registerChannelIdentity(tag)
}

func (s *Service) listChannels(ctx context.Context, _ *struct{}) (*Answer[List[Channel]], error) {
	return &Answer[List[Channel]]{List[Channel]{Items: each(s.Directory.Channels(callerOf(ctx).OrgID), channelOf)}}, nil
}

func (s *Service) getChannel(ctx context.Context, in *ByID) (*Answer[Channel], error) {
	c, ok := s.Directory.Channel(callerOf(ctx).OrgID, in.ID)
	if !ok {
		return nil, refusal.ErrChannelNotFound
	}
	return &Answer[Channel]{channelOf(c)}, nil
}

// CreateChannel is the input of a new channel.
type CreateChannel struct {
	Writing
	Body struct {
		Type    events.Channel `json:"type" enum:"chat,email,sms,x,facebook"`
		Name    string         `json:"name" minLength:"1" maxLength:"200"`
		Origins []string       `json:"origins,omitempty" maxItems:"100"`
	}
}

// CreatedChannel answers a new channel.
type CreatedChannel struct {
	Done
	SiteKey string `json:"site_key,omitempty"`
}

func (s *Service) createChannel(ctx context.Context, in *CreateChannel) (*Written[CreatedChannel], error) {
	org := callerOf(ctx).OrgID
	m := in.meta(ctx, in.Body)
	id := command.DeriveID("channel", org, m.ID)
	var siteKey string
	if in.Body.Type == events.ChannelChat {
		siteKey = "site_" + rand.Text()
	}
	r, err := s.Loop.Atomic(ctx, m, func(tx *command.Tx) error {
		create := channel.Create{Type: in.Body.Type, Name: in.Body.Name, SiteKey: siteKey}
		if err := command.Stage(tx, s.channels, org, id, channel.Command(create)); err != nil {
			return err
		}
		if len(in.Body.Origins) == 0 {
			return nil
		}
		return command.Stage(tx, s.channels, org, id, channel.Command(channel.SetOrigins{Origins: in.Body.Origins}))
	})
	if err != nil {
		return nil, err
	}
	s.seen(ctx, r.Position)
	for _, e := range r.Events { // of a repeated request, the first site key stands
		if created, ok := e.Event.(events.ChannelCreated); ok {
			siteKey = created.SiteKey
		}
	}
	position := r.Position.String()
	return written(position, CreatedChannel{Done: Done{ID: id, Position: position}, SiteKey: siteKey}), nil
}

// SetOrigins is the input of a channel's origins.
type SetOrigins struct {
	ByID
	Writing
	Body struct {
		Origins []string `json:"origins" nullable:"false" maxItems:"100"`
	}
}

func (s *Service) setOrigins(ctx context.Context, in *SetOrigins) (*Written[Done], error) {
	r, err := s.channels.Handle(ctx, callerOf(ctx).OrgID, in.ID, in.meta(ctx, in.Body), channel.SetOrigins{Origins: in.Body.Origins})
	return s.configured(ctx, in.ID, r, err)
}

// SetSurvey is the input of a channel's survey.
type SetSurvey struct {
	ByID
	Writing
	Body struct {
		Enabled           bool   `json:"enabled"`
		Question          string `json:"question,omitempty" maxLength:"500"`
		ExpiresAfterHours int    `json:"expires_after_hours,omitempty" minimum:"1" maximum:"8784" default:"168" doc:"For how long a visitor may answer; a week unless said."`
	}
}

func (s *Service) setSurvey(ctx context.Context, in *SetSurvey) (*Written[Done], error) {
	r, err := s.channels.Handle(ctx, callerOf(ctx).OrgID, in.ID, in.meta(ctx, in.Body), channel.SetSurvey(in.Body))
	return s.configured(ctx, in.ID, r, err)
}

// Enabling is the input that stops or starts a thing.
type Enabling struct {
	ByID
	Writing
	Body struct {
		Enabled bool   `json:"enabled"`
		Reason  string `json:"reason,omitempty" maxLength:"200"`
	}
}

func (s *Service) enableChannel(ctx context.Context, in *Enabling) (*Written[Done], error) {
	var c channel.Command = channel.Disable{Reason: in.Body.Reason}
	if in.Body.Enabled {
		c = channel.Enable{Reason: in.Body.Reason}
	}
	r, err := s.channels.Handle(ctx, callerOf(ctx).OrgID, in.ID, in.meta(ctx, in.Body), c)
	return s.configured(ctx, in.ID, r, err)
}

func channelOf(c directory.Channel) Channel {
	var survey *ChannelSurvey
	if len(c.Surveys) > 0 {
		survey = (*ChannelSurvey)(&c.Survey)
	}
	return Channel{
		ID: c.ID, Type: c.Type, Name: c.Name, SiteKey: c.SiteKey, Origins: append([]string{}, c.Origins...), Disabled: c.Disabled,
		IdentityVersion: c.IdentityVersion, IdentityRequired: c.IdentityRequired,
		Survey:          survey,
		ChannelSettings: settingsOf(c),
	}
}
