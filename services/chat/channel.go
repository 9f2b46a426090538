package chat

import (
	"net/http"
	"strconv"
	"time"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/directory"
	"github.com/tidemark-desk/tidemark/internal/domain/refusal"
	"github.com/tidemark-desk/tidemark/internal/web"
)

// longestCached is how long a browser, or what stands before it, may show a channel as it was.
const longestCached = time.Minute

// channelAnswer is what a widget needs to draw itself. Everybody may read it: it must hold nothing that is not shown.
type channelAnswer struct {
	Name        string         `json:"name"`
	Greeting    string         `json:"greeting"`
	Theme       channelTheme   `json:"theme"`
	Languages   []string       `json:"languages"`        // none: those that the widget has
	Default     string         `json:"default_language"` // empty: the widget's
	PreChatForm []preChatField `json:"pre_chat_form"`
	Open        bool           `json:"open"`                // somebody is there to answer
	OpensAt     *time.Time     `json:"opens_at,omitempty"`  // while it is not open
	AwayText    string         `json:"away_text,omitempty"` // the same
}

type channelTheme struct {
	Colour   string               `json:"colour"`
	Position events.ThemePosition `json:"position"`
	Mode     events.ThemeMode     `json:"mode"`
}

type preChatField struct {
	Name     string              `json:"name"`
	Label    string              `json:"label,omitempty"`
	Input    events.PreChatInput `json:"input"`
	Required bool                `json:"required"`
	Options  []string            `json:"options,omitempty"`
}

// showChannel tells a page that may use the channel how to draw the widget.
func (s *Service) showChannel(w http.ResponseWriter, r *http.Request) error {
	if err := s.ready(r.Context()); err != nil {
		return err
	}
	channel, ok := s.Directory.ChannelBySiteKey(r.PathValue("site_key"))
	switch {
	case !ok || channel.Type != events.ChannelChat:
		return errChannel
	case channel.Disabled:
		return refusal.ErrChannelDisabled
	case !allowed(channel, r.Header.Get("Origin")):
		return errOrigin
	}
	answer, cached := channelAt(channel, s.Clock())
	w.Header().Set("Cache-Control", "public, max-age="+strconv.Itoa(int(cached/time.Second)))
	return web.WriteJSON(w, http.StatusOK, answer)
}

// channelAt is the answer of a moment, and how long it may be kept: not beyond the opening that it tells of.
func channelAt(c directory.Channel, now time.Time) (channelAnswer, time.Duration) {
	chat := c.Chat
	a := channelAnswer{
		Name: c.Name, Greeting: chat.Greeting, Theme: channelTheme(chat.Theme),
		Languages: append([]string{}, chat.Languages.Languages...), Default: chat.Languages.Default,
		PreChatForm: make([]preChatField, 0, len(chat.PreChatForm)), Open: chat.Hours.OpenAt(now),
	}
	for _, f := range chat.PreChatForm {
		a.PreChatForm = append(a.PreChatForm, preChatField(f))
	}
	if a.Open {
		return a, longestCached
	}
	opens := chat.Hours.OpensAt(now)
	a.OpensAt, a.AwayText = &opens, chat.AwayText
	return a, min(longestCached, opens.Sub(now))
}
