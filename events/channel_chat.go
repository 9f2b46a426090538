package events

import "slices"

func init() {
	register[ChannelGreetingSet]("What the chat says to a visitor before anybody wrote; empty: nothing.")
	register[ChannelThemeSet]("How the chat looks.")
	register[ChannelLanguagesSet]("The languages that the chat offers; none: those that the widget has, by the visitor's browser.")
	register[ChannelPreChatFormSet]("What the chat asks before the first message, all of it in order; nothing: it asks nothing.")
	register[ChannelOfficeHoursSet]("When somebody is there to answer, by the clock of a place; no interval: always.")
	register[ChannelAwayTextSet]("What the chat says outside of office hours; empty: nothing.")
}

// ThemePosition is the corner of the page where the chat stands.
type ThemePosition string

// ThemeMode is whether the chat is light or dark.
type ThemeMode string

// The positions and modes.
const (
	PositionLeft  ThemePosition = "left"
	PositionRight ThemePosition = "right"
	ModeAuto      ThemeMode     = "auto" // as the visitor's system is set
	ModeLight     ThemeMode     = "light"
	ModeDark      ThemeMode     = "dark"
)

// ThemePositions and ThemeModes list them all.
var (
	ThemePositions = []ThemePosition{PositionLeft, PositionRight}
	ThemeModes     = []ThemeMode{ModeAuto, ModeLight, ModeDark}
)

// ChannelTheme is how a chat looks. No part is empty.
type ChannelTheme struct {
	Colour   string        `json:"colour"` // #rrggbb, in lower case
	Position ThemePosition `json:"position"`
	Mode     ThemeMode     `json:"mode"`
}

// DefaultTheme is of a chat whose theme was never set.
var DefaultTheme = ChannelTheme{Colour: "#1d4ed8", Position: PositionRight, Mode: ModeAuto}

// ChannelLanguages are BCP 47 tags such as "de" or "pt-BR". The default is one of them, and empty when there are none.
type ChannelLanguages struct {
	Languages []string `json:"languages"`
	Default   string   `json:"default"`
}

// PreChatInput is how a field of the form before a chat is filled in.
type PreChatInput string

// The inputs.
const (
	InputText   PreChatInput = "text"
	InputEmail  PreChatInput = "email"
	InputPhone  PreChatInput = "phone"
	InputChoice PreChatInput = "choice" // one of the field's options
)

// PreChatInputs lists every input.
var PreChatInputs = []PreChatInput{InputText, InputEmail, InputPhone, InputChoice}

// PreChatField is one question of the form before a chat. The names "name", "email" and "phone" are the visitor's own;
// what is asked under another name is an attribute.
type PreChatField struct {
	Name     string       `json:"name"`
	Label    string       `json:"label,omitempty"` // empty only for the visitor's own: the widget has words for them in each language
	Input    PreChatInput `json:"input"`
	Required bool         `json:"required"`
	Options  []string     `json:"options,omitempty"` // of a choice
}

// OfficeHours are a week, by the clock of a place. No interval: always open.
type OfficeHours struct {
	Timezone string           `json:"timezone"` // IANA name; empty only when there are no intervals
	Weekly   []OfficeInterval `json:"weekly"`   // in the order of the week from Monday, apart from each other
}

// OfficeInterval is a time within one day: from this minute on, and no longer at that one.
type OfficeInterval struct {
	Day  string `json:"day"`  // "monday"
	From string `json:"from"` // "09:00"
	To   string `json:"to"`   // "17:30", up to "24:00"
}

// Weekdays are the days of office hours, in their order.
var Weekdays = []string{"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"}

const minutesOfDay = 24 * 60

// Minutes counts both ends from the beginning of Monday, by the clock; false when it is no interval.
func (i OfficeInterval) Minutes() (from, to int, ok bool) {
	day := slices.Index(Weekdays, i.Day)
	from, fromOK := clock(i.From)
	to, toOK := clock(i.To)
	ok = day >= 0 && fromOK && toOK && from < to
	return day*minutesOfDay + from, day*minutesOfDay + to, ok
}

// clock reads HH:MM from 00:00 to 24:00.
func clock(s string) (minute int, ok bool) {
	if len(s) != 5 || s[2] != ':' {
		return 0, false
	}
	var digits [4]int
	for i, at := range []int{0, 1, 3, 4} {
		if s[at] < '0' || s[at] > '9' {
			return 0, false
		}
		digits[i] = int(s[at] - '0')
	}
	hours, minutes := digits[0]*10+digits[1], digits[2]*10+digits[3]
	minute = hours*60 + minutes
	return minute, minutes < 60 && minute <= minutesOfDay
}

// ChannelGreetingSet replaces the greeting.
type ChannelGreetingSet struct {
	Greeting string `json:"greeting"`
}

// ChannelThemeSet replaces the theme.
type ChannelThemeSet struct {
	ChannelTheme
}

// ChannelLanguagesSet replaces the languages.
type ChannelLanguagesSet struct {
	ChannelLanguages
}

// ChannelPreChatFormSet replaces the form.
type ChannelPreChatFormSet struct {
	Fields []PreChatField `json:"fields"`
}

// ChannelOfficeHoursSet replaces the office hours.
type ChannelOfficeHoursSet struct {
	OfficeHours
}

// ChannelAwayTextSet replaces what is said outside of office hours.
type ChannelAwayTextSet struct {
	AwayText string `json:"away_text"`
}

// EventType is on disk.
func (ChannelGreetingSet) EventType() string { return "channel.greeting_set.v1" }

// EventType is on disk.
func (ChannelThemeSet) EventType() string { return "channel.theme_set.v1" }

// EventType is on disk.
func (ChannelLanguagesSet) EventType() string { return "channel.languages_set.v1" }

// EventType is on disk.
func (ChannelPreChatFormSet) EventType() string { return "channel.pre_chat_form_set.v1" }

// EventType is on disk.
func (ChannelOfficeHoursSet) EventType() string { return "channel.office_hours_set.v1" }

// EventType is on disk.
func (ChannelAwayTextSet) EventType() string { return "channel.away_text_set.v1" }
