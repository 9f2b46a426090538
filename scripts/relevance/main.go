// Command relevance measures how well the search engines find: MRR@10 and recall@50 of queries made from real conversations.
//
//	go run ./scripts/relevance -data ../shared/data/support.jsonl,../shared/data/dialogues.jsonl.gz \
//	    -engine http://127.0.0.1:9211,http://127.0.0.1:9221
//
// The embedded engine is always among them. It fails when two engines differ by more than 0.05.
package main

import (
	"context"
	"crypto/rand"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math"
	"net/http"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/tidemark-desk/tidemark/projections/search"
	"github.com/tidemark-desk/tidemark/projections/search/bleve"
	"github.com/tidemark-desk/tidemark/projections/search/elastic"
	"github.com/tidemark-desk/tidemark/projections/search/indexes"
	"github.com/tidemark-desk/tidemark/projections/search/relevance"
)

func main() {
	data := flag.String("data", "", "files of conversations, one JSON object a line, .gz or not, with commas between")
	urls := flag.String("engine", "", "URLs of Elasticsearch or OpenSearch, with commas between")
	per := flag.Int("per", 20, "queries of each kind for each file")
	seed := flag.Uint64("seed", 1, "of the queries")
	missed := flag.Bool("missed", false, "print the queries that find nothing")
	flag.Parse()
	if err := run(context.Background(), os.Stdout, strings.Split(*data, ","), strings.Split(*urls, ","), *per, *seed, *missed); err != nil {
		fmt.Fprintln(os.Stderr, "relevance:", err)
		os.Exit(1)
	}
}

// most is how far two engines may be apart.
const most = 0.05

const org = "org"

func run(ctx context.Context, out io.Writer, files, urls []string, per int, seed uint64, missed bool) error {
	var talks []relevance.Talk
	var judged []relevance.Judged
	for _, f := range files {
		list, err := relevance.ReadTalks(f)
		if err != nil {
			return err
		}
		talks = append(talks, list...)
		judged = append(judged, relevance.Derive(list, per, seed)...)
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintf(table, "%d conversations, seed %d\nENGINE\tQUERIES\tKIND\tMRR@10\tRECALL@50\n", len(talks), seed)
	var all []relevance.Report
	for _, url := range append([]string{""}, urls...) {
		if url == "" && len(all) > 0 {
			continue // no engine was named
		}
		name := url
		if url == "" {
			name = "embedded"
		}
		reports, err := ask(ctx, url, talks, judged)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		for _, kind := range slices.Sorted(maps.Keys(reports)) {
			r, label := reports[kind], kind
			if kind == "" {
				label = "all"
			}
			_, _ = fmt.Fprintf(table, "%s\t%d\t%s\t%.3f\t%.3f\n", name, r.Queries, label, r.MRR10, r.Recall50)
		}
		all = append(all, reports[""])
		if missed {
			for _, j := range reports[""].Missed {
				_, _ = fmt.Fprintf(table, "missed by %s: %s: %s\t→ %s\n", name, j.Kind, j.Query, j.Conversation)
			}
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, r := range all {
		if apart := max(math.Abs(r.MRR10-all[0].MRR10), math.Abs(r.Recall50-all[0].Recall50)); apart > most {
			return fmt.Errorf("engines are %.3f apart, more than %.2f", apart, most)
		}
	}
	return nil
}

// ask fills an engine of its own, asks it, and removes it.
func ask(ctx context.Context, url string, talks []relevance.Talk, judged []relevance.Judged) (map[string]relevance.Report, error) {
	engine, remove, err := open(ctx, url)
	if err != nil {
		return nil, err
	}
	defer remove()
	if err := relevance.Fill(ctx, engine, org, talks); err != nil {
		return nil, err
	}
	return relevance.Measure(ctx, engine, org, judged)
}

func open(ctx context.Context, url string) (engine search.Engine, remove func(), err error) {
	logger := slog.New(slog.NewTextHandler(os.Stderr, nil))
	if url == "" {
		dir, err := os.MkdirTemp("", "relevance")
		if err != nil {
			return nil, nil, err
		}
		set, err := bleve.OpenIndexes(ctx, bleve.Config{Dir: dir, Incarnation: org, Partitions: 1}, nil, logger)
		return closing(set, err, func() { _ = os.RemoveAll(dir) })
	}
	name := "relevance-" + strings.ToLower(rand.Text())
	set, err := elastic.OpenIndexes(ctx, elastic.Config{URL: url, Name: name, Incarnation: org, Partitions: 1}, nil, logger)
	return closing(set, err, func() {
		req, err := http.NewRequestWithContext(ctx, http.MethodDelete, url+"/"+name+"-*", nil)
		if err != nil {
			return
		}
		if res, err := http.DefaultClient.Do(req); err == nil {
			_ = res.Body.Close()
		}
	})
}

func closing(set *indexes.Set, err error, clean func()) (search.Engine, func(), error) {
	if err != nil {
		clean()
		return nil, nil, err
	}
	return set, func() {
		_ = set.Close()
		clean()
	}, nil
}
