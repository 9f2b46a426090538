package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/tidemark-desk/tidemark/projections/search"
)

// searchCommand searches, and looks after the indexes.
type searchCommand struct {
	Query         searchQuery `cmd:"" help:"Find conversations by their words; docs/search.md has the language."`
	searchIndexes `embed:""`
}

type searchQuery struct {
	Client      clientFlags `embed:""`
	Q           []string    `arg:"" optional:"" help:"Words, \"phrases\", prefix*, -not, OR, parentheses, field:value. Put it in quotes, and -- before one that begins with a dash."`
	Status      string      `help:"open, snoozed, closed or any." default:"any" enum:"open,snoozed,closed,any"`
	Sort        string      `help:"relevance, newest or oldest; by default relevance when there are words, and newest when there are none." placeholder:"ORDER"`
	Notes       bool        `help:"Look into notes too."`
	Facets      []string    `help:"Count all matches by these: status, queue, assignee, tag, channel, priority." placeholder:"FACET"`
	Limit       int         `help:"How many conversations to print at most." default:"25"`
	All         bool        `help:"Print all of them."`
	Cursor      string      `help:"Go on from links.next of an earlier answer." placeholder:"CURSOR"`
	MinPosition string      `help:"Answer once this Tidemark-Position can be found." placeholder:"POSITION"`
}

// Validate refuses what cannot be printed.
func (c *searchQuery) Validate() error {
	if c.Limit < 1 {
		return errors.New("--limit must be 1 or more")
	}
	return nil
}

// found is what GET /v1/search answers.
type found struct {
	Items      []search.Hit            `json:"items"`
	Total      uint64                  `json:"total"`
	TotalExact bool                    `json:"total_exact"`
	Facets     map[string]search.Facet `json:"facets,omitempty"`
	Instead    *search.Instead         `json:"instead,omitempty"`
	Links      struct {
		Next string `json:"next,omitempty"`
	} `json:"links"`
	AsOf Freshness `json:"as_of"`
}

func (c *searchQuery) path() string {
	q := url.Values{"limit": {strconv.Itoa(c.page(0))}}
	for name, value := range map[string]string{
		"q": strings.Join(c.Q, " "), "status": c.Status, "sort": c.Sort, "cursor": c.Cursor, "min_position": c.MinPosition,
		"facets": strings.Join(c.Facets, ","),
	} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if c.Notes {
		q.Set("notes", "true")
	}
	return "/v1/search?" + q.Encode()
}

// page is how many to ask for when there are some already.
func (c *searchQuery) page(have int) int {
	if c.All {
		return search.MaxLimit
	}
	return min(search.MaxLimit, c.Limit-have)
}

// Run searches, and goes on to further pages while more is wanted.
func (c *searchQuery) Run(ctx context.Context, p *printer) error {
	server, err := c.Client.connect()
	if err != nil {
		return err
	}
	var answer found
	if err := server.do(ctx, http.MethodGet, c.path(), nil, &answer); err != nil {
		return err
	}
	for answer.Links.Next != "" && (c.All || len(answer.Items) < c.Limit) {
		next, err := url.Parse(answer.Links.Next)
		if err != nil {
			return fmt.Errorf("the server's link to the next page: %w", err)
		}
		q := next.Query()
		q.Set("limit", strconv.Itoa(c.page(len(answer.Items))))
		var more found
		if err := server.do(ctx, http.MethodGet, next.Path+"?"+q.Encode(), nil, &more); err != nil {
			return err
		}
		answer.Items, answer.Links = append(answer.Items, more.Items...), more.Links
	}
	if p.json {
		return p.object(answer)
	}
	return answer.print(p)
}

func (f found) print(p *printer) error {
	if f.Instead != nil {
		p.say("Nothing has it as it was written. Searched instead: %s\n", oneLine(f.Instead.Q))
	}
	rows := make([][]string, 0, len(f.Items))
	for _, h := range f.Items {
		rows = append(rows, []string{h.ConversationID, h.Status, h.Updated.Format(time.RFC3339), cmp.Or(oneLine(h.Subject), "-"), marked(h.Highlights)})
	}
	if err := p.table([]string{"CONVERSATION", "STATUS", "UPDATED", "SUBJECT", "FOUND"}, rows); err != nil {
		return err
	}
	for _, name := range search.Facets {
		facet, asked := f.Facets[name]
		if !asked {
			continue
		}
		counts := make([]string, 0, len(facet.Values)+1)
		for _, v := range facet.Values {
			counts = append(counts, fmt.Sprintf("%s %d", oneLine(v.Value), v.Count))
		}
		if facet.None > 0 {
			counts = append(counts, fmt.Sprintf("(none) %d", facet.None))
		}
		p.say("\n%s: %s", name, strings.Join(counts, ", "))
	}
	of := strconv.FormatUint(f.Total, 10)
	if !f.TotalExact {
		of = "more than " + of
	}
	p.say("\n%d of %s, as of %s (%.1f s behind).", len(f.Items), of, f.AsOf.Time.Format(time.RFC3339), f.AsOf.LagSeconds)
	return nil
}

// marked is where it was found: the message or the note, and some of its text with what matches in »angles«.
func marked(list []search.Highlight) string {
	out := make([]string, 0, len(list))
	for _, h := range list {
		var b strings.Builder
		b.WriteString(h.In)
		if h.MessageID != "" {
			b.WriteString(" " + h.MessageID)
		}
		b.WriteString(": ")
		at := 0
		for _, m := range slices.SortedFunc(slices.Values(h.Matches), func(a, b [2]int) int { return cmp.Compare(a[0], b[0]) }) {
			if m[0] < at || m[1] > len(h.Fragment) || m[0] > m[1] {
				continue // within the one before
			}
			b.WriteString(h.Fragment[at:m[0]] + "»" + h.Fragment[m[0]:m[1]] + "«")
			at = m[1]
		}
		b.WriteString(h.Fragment[at:])
		out = append(out, oneLine(b.String()))
	}
	return strings.Join(out, " | ")
}

// oneLine is text on one line without what a terminal would obey: it was written by anybody.
func oneLine(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return ' '
		}
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, text)
	return strings.Join(strings.Fields(text), " ")
}
