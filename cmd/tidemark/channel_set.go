package main

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/tidemark-desk/tidemark/internal/fault"
)

// channelSettings is how a chat channel is set, in the API's words.
type channelSettings struct {
	Greeting *string `json:"greeting,omitempty"`
	Theme    *struct {
		Colour   string `json:"colour,omitempty"`
		Position string `json:"position,omitempty"`
		Mode     string `json:"mode,omitempty"`
	} `json:"theme,omitempty"`
	Languages *struct {
		Languages []string `json:"languages"`
		Default   string   `json:"default,omitempty"`
	} `json:"languages,omitempty"`
	PreChatForm *struct {
		Fields []preChatField `json:"fields"`
	} `json:"pre_chat_form,omitempty"`
	OfficeHours *struct {
		Timezone string           `json:"timezone,omitempty"`
		Weekly   []officeInterval `json:"weekly"`
	} `json:"office_hours,omitempty"`
	AwayText *string `json:"away_text,omitempty"`
}

type preChatField struct {
	Name     string   `json:"name"`
	Label    string   `json:"label,omitempty"`
	Input    string   `json:"input,omitempty"`
	Required bool     `json:"required,omitempty"`
	Options  []string `json:"options,omitempty"`
}

type officeInterval struct {
	Day  string `json:"day"`
	From string `json:"from"`
	To   string `json:"to"`
}

// rows are the settings for a person, one line each.
func (s channelSettings) rows() [][]string {
	var rows [][]string
	line := func(s string) string { return strings.Join(strings.Fields(s), " ") }
	if s.Greeting != nil {
		rows = append(rows, []string{"greeting", line(*s.Greeting)})
	}
	if t := s.Theme; t != nil {
		rows = append(rows, []string{"theme", t.Colour + " " + t.Position + " " + t.Mode})
	}
	if l := s.Languages; l != nil {
		languages := "any"
		if len(l.Languages) > 0 {
			languages = strings.Join(l.Languages, " ") + ", default " + l.Default
		}
		rows = append(rows, []string{"languages", languages})
	}
	if s.PreChatForm != nil {
		for _, f := range s.PreChatForm.Fields {
			what := f.Name + " (" + f.Input + ")"
			if f.Required {
				what += ", required"
			}
			rows = append(rows, []string{"asks for", what})
		}
	}
	if h := s.OfficeHours; h != nil {
		if len(h.Weekly) == 0 {
			rows = append(rows, []string{"open", "always"})
		}
		for _, i := range h.Weekly {
			rows = append(rows, []string{"open", i.Day + " " + i.From + "-" + i.To + " " + h.Timezone})
		}
	}
	if s.AwayText != nil {
		rows = append(rows, []string{"away text", line(*s.AwayText)})
	}
	return rows
}

type channelSet struct {
	channelRef
	Name            *string  `help:"Its name."`
	Origins         []string `name:"origin" help:"Web origin that may open chat sessions; replaces all." xor:"origins"`
	AnyOrigin       bool     `help:"Let every web origin open chat sessions." xor:"origins"`
	Greeting        *string  `help:"What a visitor reads before anybody wrote."`
	AwayText        *string  `help:"What a visitor reads outside of office hours."`
	Colour          string   `help:"#rrggbb."`
	Position        string   `help:"left or right."`
	Mode            string   `help:"auto, light or dark."`
	Languages       []string `name:"language" help:"That the chat offers, in this order: de, pt-BR; replaces all." xor:"languages"`
	DefaultLanguage string   `help:"One of them; not given: the first."`
	AnyLanguage     bool     `help:"Offer all languages that the widget has." xor:"languages"`
	Fields          []string `name:"field" sep:"none" help:"What to ask before the first message: JSON as in 'channel show --json', or a name with ! behind it if it is required: email!. Replaces all." xor:"fields"`
	NoFields        bool     `help:"Ask nothing before the first message." xor:"fields"`
	Hours           []string `name:"open" help:"When somebody is there: 'monday-friday 09:00-17:00'; replaces all." placeholder:"HOURS" xor:"hours"`
	AlwaysOpen      bool     `help:"Somebody is always there." xor:"hours"`
	Timezone        string   `help:"Of --open: Europe/Berlin; not given: it stays."`
}

// Run changes what was given, all of it or nothing.
func (c *channelSet) Run(ctx context.Context, p *printer) error {
	body := map[string]any{}
	for name, value := range map[string]*string{"name": c.Name, "greeting": c.Greeting, "away_text": c.AwayText} {
		if value != nil {
			body[name] = *value
		}
	}
	if len(c.Origins) > 0 || c.AnyOrigin {
		body["origins"] = append([]string{}, c.Origins...)
	}
	theme := map[string]string{}
	for name, value := range map[string]string{"colour": c.Colour, "position": c.Position, "mode": c.Mode} {
		if value != "" {
			theme[name] = value
			body["theme"] = theme
		}
	}
	if len(c.Languages) > 0 || c.AnyLanguage {
		body["languages"] = map[string]any{"languages": append([]string{}, c.Languages...), "default": c.DefaultLanguage}
	} else if c.DefaultLanguage != "" {
		return usage("--default-language", "needs the languages, each with --language")
	}
	if len(c.Fields) > 0 || c.NoFields {
		fields, err := readFields(c.Fields)
		if err != nil {
			return err
		}
		body["pre_chat_form"] = map[string]any{"fields": fields}
	}
	if len(c.Hours) > 0 || c.AlwaysOpen {
		weekly, err := readHours(c.Hours)
		if err != nil {
			return err
		}
		body["office_hours"] = map[string]any{"timezone": c.Timezone, "weekly": weekly}
	} else if c.Timezone != "" {
		return usage("--timezone", "needs the hours, with --open")
	}
	return write(ctx, p, c.Client, http.MethodPatch, c.path(), body, "Changed.")
}

// readFields reads each as JSON, or as a name with or without ! behind it.
func readFields(all []string) ([]preChatField, error) {
	out := make([]preChatField, 0, len(all))
	for _, s := range all {
		var f preChatField
		if strings.HasPrefix(s, "{") {
			if err := json.Unmarshal([]byte(s), &f); err != nil {
				return nil, usage("--field", s+" is not JSON of a field")
			}
		} else {
			f.Name, f.Required = strings.CutSuffix(s, "!")
		}
		out = append(out, f)
	}
	return out, nil
}

// readHours reads "monday 09:00-17:00" and "monday-friday 09:00-17:00".
func readHours(all []string) ([]officeInterval, error) {
	days := []string{"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"}
	out := make([]officeInterval, 0, len(all))
	for _, s := range all {
		span, times, ok := strings.Cut(strings.TrimSpace(s), " ")
		from, to, timed := strings.Cut(times, "-")
		first, last, several := strings.Cut(strings.ToLower(span), "-")
		if !several {
			last = first
		}
		begin, end := slices.Index(days, first), slices.Index(days, last)
		if !ok || !timed || begin < 0 || end < begin {
			return nil, usage("--open", s+" is not like 'monday 09:00-17:00' or 'monday-friday 09:00-17:00'")
		}
		for _, day := range days[begin : end+1] {
			out = append(out, officeInterval{Day: day, From: strings.TrimSpace(from), To: strings.TrimSpace(to)})
		}
	}
	return out, nil
}

func usage(flag, message string) error {
	return fault.Newf(fault.Invalid, "usage", "%s: %s", flag, message)
}
