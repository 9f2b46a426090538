// Package surveys is the read model behind the report on satisfaction and the list of surveys: one row for each closing that a survey was owed
// for, with what came of it.
//
// Projection writes it (apply.go), Reader reads it (read.go), and nobody else names its tables. Everything is folded from
// the events of surveys, which say whose the closing was, and so needs nothing of any other aggregate. Erasure is told by
// the conversation's tombstone, which comes in its order: rows and comments go with it.
package surveys

import "time"

// What came of a survey.
const (
	statusWaiting  = "waiting"
	statusAnswered = "answered"
	statusExpired  = "expired"
	statusExcused  = "excused"
)

// What a report may be grouped by.
const (
	ByDay     = "day"
	ByAgent   = "agent"
	ByQueue   = "queue"
	ByChannel = "channel"
)

// Query is what a report is of.
type Query struct {
	GroupBy  string    // one of the above
	Timezone string    // IANA name: where days begin
	From, To time.Time // [From, To) by when the visitor was asked, or it was decided not to; zero: no bound
}

// Report is what visitors said.
type Report struct {
	Groups []Group // by name
	Total  Group   // of all groups
}

// Group is one day, agent, queue or channel. Asked is Waiting + Answered + Expired, and those of the Excused who had been
// asked by then.
type Group struct {
	Name                                       string // a date, or an id; empty: none
	Asked, Waiting, Answered, Expired, Excused int64
	Satisfied                                  int64 // of the answered
	Points                                     int64 // of all answers together
}

// CSAT is how many of a hundred answers were satisfied; false while there is no answer.
func (g Group) CSAT() (percent float64, ok bool) { return g.ratio(100 * g.Satisfied) }

// Average score; false while there is no answer.
func (g Group) Average() (score float64, ok bool) { return g.ratio(g.Points) }

func (g Group) ratio(of int64) (float64, bool) {
	if g.Answered == 0 {
		return 0, false
	}
	return float64(of) / float64(g.Answered), true
}
