package directory

import (
	"sort"

	"github.com/tidemark-desk/tidemark/events"
)

// SurveyVersion is the survey setting of a channel as one of its events left it.
type SurveyVersion struct {
	From uint64 // sequence of that event: in force for later events, never for earlier ones
	events.ChannelSurveySet
}

// SurveyAt is the setting as it was in force for the event with this sequence; false when visitors were not asked then.
// What a setting meant for a closing never changes afterwards, so deciding again gives the same answer.
func (c Channel) SurveyAt(sequence uint64) (events.ChannelSurveySet, bool) {
	n := sort.Search(len(c.Surveys), func(i int) bool { return c.Surveys[i].From >= sequence })
	if n == 0 {
		return events.ChannelSurveySet{}, false
	}
	set := c.Surveys[n-1].ChannelSurveySet
	return set, set.Enabled
}
