package api

import (
	"context"
	"net/http"
	"time"

	"github.com/tidemark-desk/tidemark/projections/surveys"
)

// Satisfaction is what visitors said of the conversations that were closed.
type Satisfaction struct {
	GroupBy string              `json:"group_by"`
	From    *time.Time          `json:"from"`
	To      *time.Time          `json:"to"`
	Items   []SatisfactionGroup `json:"items" nullable:"false" doc:"By their group, the earliest day first."`
	Total   SatisfactionCounts  `json:"total"`
	AsOf    *AsOf               `json:"as_of"`
}

// SatisfactionGroup is one day, agent, queue or channel.
type SatisfactionGroup struct {
	Group *string `json:"group" doc:"A date in the org's time zone, or an id; null for conversations that had none when they were closed."`
	SatisfactionCounts
}

// SatisfactionCounts is what came of surveys.
type SatisfactionCounts struct {
	Asked    int64    `json:"asked" doc:"Visitors who were asked, whatever came of it."`
	Waiting  int64    `json:"waiting" doc:"Of the asked: may still answer."`
	Answered int64    `json:"answered"`
	Expired  int64    `json:"expired"`
	Excused  int64    `json:"excused" doc:"Closings whose conversation went on, whether or not the visitor had been asked by then."`
	CSAT     *float64 `json:"csat" doc:"Of a hundred answers: with a score of 4 or 5. Null while there is none."`
	Average  *float64 `json:"average" doc:"Of the scores. Null while there is no answer."`
}

// SatisfactionInput is what the report is of.
type SatisfactionInput struct {
	Reading
	GroupBy string    `query:"group_by" enum:"day,agent,queue,channel" default:"day" doc:"Agent and queue are those that the conversation had when it was closed."`
	From    time.Time `query:"from" doc:"Visitors who were asked from then on."`
	To      time.Time `query:"to" doc:"Visitors who were asked before."`
}

func (s *Service) registerReports() {
	add(s, operation{
		id: "report-satisfaction", method: http.MethodGet, path: "/v1/reports/satisfaction", tag: "Reports",
		summary: "Report how visitors said it went",
		doc:     "Of every closing that a survey was owed for. What erased customers said is not in it.",
		codes:   []string{"not_yet"},
	}, s.reportSatisfaction)
}

func (s *Service) reportSatisfaction(ctx context.Context, in *SatisfactionInput) (*Answer[Satisfaction], error) {
	if !in.To.IsZero() && !in.To.After(in.From) {
		return nil, wrong("query.to", "must be after from")
	}
	fresh, err := s.fresh(ctx, in.Reading, surveysModel)
	if err != nil {
		return nil, err
	}
	org := callerOf(ctx).OrgID
	r, err := s.Reads.Surveys.Satisfaction(ctx, org, surveys.Query{
		GroupBy: in.GroupBy, Timezone: s.Directory.Settings(org).Timezone, From: in.From, To: in.To,
	})
	if err != nil {
		return nil, err
	}
	return &Answer[Satisfaction]{Satisfaction{
		GroupBy: in.GroupBy, From: someTime(in.From), To: someTime(in.To),
		Items: each(r.Groups, func(g surveys.Group) SatisfactionGroup {
			return SatisfactionGroup{Group: some(g.Name), SatisfactionCounts: satisfactionOf(g)}
		}),
		Total: satisfactionOf(r.Total), AsOf: fresh,
	}}, nil
}

func satisfactionOf(g surveys.Group) SatisfactionCounts {
	out := SatisfactionCounts{Asked: g.Asked, Waiting: g.Waiting, Answered: g.Answered, Expired: g.Expired, Excused: g.Excused}
	if percent, ok := g.CSAT(); ok {
		score, _ := g.Average()
		out.CSAT, out.Average = &percent, &score
	}
	return out
}
