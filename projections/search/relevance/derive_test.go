package relevance_test

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/tidemark-desk/tidemark/projections/search"
	"github.com/tidemark-desk/tidemark/projections/search/relevance"
)

const talks = `{"id":"a","company":"Acme","messages":[{"at":"2026-01-05T08:00:00Z","from":"customer","text":"Good morning, the heating broke yesterday and my bathroom is freezing, order ORD-778812."}]}
{"id":"b","company":"Acme","messages":[{"at":"2026-01-05T08:00:00Z","from":"agent","text":"Please cancel that booking, visitor, and describe what refund you expected there from our hotel."}]}
`

// The same conversations give the same queries, of every kind, and each can be asked.
func TestDerive(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "talks.jsonl")
	if err := os.WriteFile(path, []byte(talks), 0o600); err != nil {
		t.Fatal(err)
	}
	list, err := relevance.ReadTalks(path)
	if err != nil || len(list) != 2 {
		t.Fatalf("read %+v, %v", list, err)
	}
	judged := relevance.Derive(list, 3, 7)
	if again := relevance.Derive(list, 3, 7); !reflect.DeepEqual(judged, again) {
		t.Errorf("derived %+v, and then %+v", judged, again)
	}
	kinds := map[string]int{}
	for _, j := range judged {
		kinds[j.Kind]++
		if _, err := search.ParseQuery(j.Query); err != nil {
			t.Errorf("%+v: %v", j, err)
		}
	}
	want := map[string]int{"quoted": 3, "excerpt": 3, "words": 3, "forms": 3, "synonym": 3, "typo": 3, "id": 3}
	if !reflect.DeepEqual(kinds, want) {
		t.Errorf("kinds %v, want %v", kinds, want)
	}
}
