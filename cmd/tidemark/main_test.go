package main

import (
	"log/slog"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/tidemark-desk/tidemark/internal/testkit"
)

// programVariable makes this test binary the program itself, so that what the tests start is what they were built from.
const programVariable = "TIDEMARK_TEST_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(programVariable) != "" {
		main() // ends the process
	}
	testkit.Main(m, goleak.IgnoreTopFunction("github.com/blevesearch/bleve_index_api.AnalysisWorker")) // they never end
}

// tidemark is the program.
func tidemark(tb testing.TB) testkit.Program {
	tb.Helper()
	self, err := os.Executable()
	if err != nil {
		tb.Fatal(err)
	}
	return testkit.Program{Path: self, Env: []string{programVariable + "=1"}}
}

// serve starts a server with everything in a directory of its own.
func serve(tb testing.TB, args ...string) *testkit.Process {
	tb.Helper()
	return tidemark(tb).Serve(tb, testkit.Dir(tb), args...)
}

// testLogger writes to the test.
func testLogger(tb testing.TB) *slog.Logger {
	tb.Helper()
	return slog.New(slog.NewTextHandler(tb.Output(), nil))
}
