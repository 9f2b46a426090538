package channel

import (
	"fmt"
	"slices"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/domain/refusal"
	"github.com/tidemark-desk/tidemark/internal/domain/text"
	"github.com/tidemark-desk/tidemark/internal/fault"
)

// The limits of a form before a chat.
const (
	MaxFields  = 10
	MaxOptions = 20
	MaxLabel   = 200 // characters, also of an option
)

// SetPreChatForm replaces what is asked before the first message, in this order. Without an input, a field takes text,
// or what its name says.
type SetPreChatForm struct{ Fields []events.PreChatField }

func (SetPreChatForm) channelCommand() {}

// own are the fields about the visitor themself: each has one input, and the widget has words for it.
var own = map[string]events.PreChatInput{"name": events.InputText, "email": events.InputEmail, "phone": events.InputPhone}

func (c SetPreChatForm) change(have Chat) ([]events.Event, error) {
	if len(c.Fields) > MaxFields {
		return nil, formInvalid(fmt.Sprintf("has %d fields, at most %d are allowed", len(c.Fields), MaxFields))
	}
	next := make([]events.PreChatField, 0, len(c.Fields))
	for _, f := range c.Fields {
		f, err := field(f)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(next, func(o events.PreChatField) bool { return o.Name == f.Name }) {
			return nil, formInvalid(fmt.Sprintf("asks for %q twice", f.Name))
		}
		next = append(next, f)
	}
	if slices.EqualFunc(next, have.Form, sameField) {
		return nil, nil
	}
	return one(events.ChannelPreChatFormSet{Fields: next})
}

// field checks one, and fills in what goes without saying.
func field(f events.PreChatField) (events.PreChatField, error) {
	if !events.ValidID(f.Name) {
		return f, formInvalid("a field's name is 1 to 64 letters, digits, '-' or '_'")
	}
	label, err := text.Line("pre_chat_form", f.Label, MaxLabel)
	if err != nil {
		return f, err
	}
	f.Label = label
	usual, isOwn := own[f.Name]
	if f.Input == "" {
		f.Input = events.InputText
		if isOwn {
			f.Input = usual
		}
	}
	switch {
	case !slices.Contains(events.PreChatInputs, f.Input):
		return f, formInvalid(fmt.Sprintf("the input of %q is none of text, email, phone, choice", f.Name))
	case isOwn && f.Input != usual:
		return f, formInvalid(fmt.Sprintf("the input of %q is %s", f.Name, usual))
	case !isOwn && f.Label == "":
		return f, formInvalid(fmt.Sprintf("%q needs a label", f.Name))
	case (f.Input == events.InputChoice) != (len(f.Options) > 0), len(f.Options) > MaxOptions:
		return f, formInvalid(fmt.Sprintf("a choice, and no other field, has 1 to %d options", MaxOptions))
	}
	var options []string
	for _, o := range f.Options {
		o, err := text.Line("pre_chat_form", o, MaxLabel)
		if err != nil {
			return f, err
		}
		if o == "" || slices.Contains(options, o) {
			return f, formInvalid(fmt.Sprintf("an option of %q is empty or there twice", f.Name))
		}
		options = append(options, o)
	}
	f.Options = options
	return f, nil
}

func sameField(a, b events.PreChatField) bool {
	return a.Name == b.Name && a.Label == b.Label && a.Input == b.Input && a.Required == b.Required && slices.Equal(a.Options, b.Options)
}

func formInvalid(message string) error {
	return refusal.ErrPreChatInvalid.WithFields(fault.Field{Location: "pre_chat_form", Message: message})
}
