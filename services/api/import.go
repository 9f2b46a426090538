package api

import (
	"context"
	"net/http"

	"github.com/tidemark-desk/tidemark/internal/importer"
)

// Import is some lines of a file.
type Import struct {
	Body struct {
		Lines []string `json:"lines" minItems:"1" maxItems:"10000" nullable:"false" doc:"Each a JSON object: id, channel, company or subject, customer {name, email, phone, handle, external_id}, messages [{at, from, text}], oldest first. Empty lines are passed over."`
	}
}

// Imported says what came of the lines.
type Imported struct {
	importer.Totals
	Rejected []RejectedLine `json:"rejected" nullable:"false"`
	Position string         `json:"position" doc:"Of the newest event; empty when every line was rejected."`
}

// RejectedLine is a line that cannot be imported as it is.
type RejectedLine struct {
	Line   int    `json:"line" doc:"Of the request, from 1."`
	Code   string `json:"code"`
	Detail string `json:"detail"`
}

func (s *Service) registerImport() {
	add(s, operation{
		id: "import", method: http.MethodPost, path: "/v1/admin/import", tag: "Admin", admin: true,
		summary: "Bring conversations of another system in",
		doc: "Each line's conversation is written whole or not at all; one of more than 500 messages in steps of 500, in order. Ids " +
			"follow from the ids in the lines, so sending lines again adds nothing, also after some of them, and a conversation that " +
			"has grown since gets what is new. Messages keep their own times.",
		codes: append([]string{"event_too_large"}, writeCodes...), longest: slow,
	}, s.importLines)
}

func (s *Service) importLines(ctx context.Context, in *Import) (*Written[Imported], error) {
	lines := make([][]byte, len(in.Body.Lines))
	for i, line := range in.Body.Lines {
		lines[i] = []byte(line)
	}
	report, err := importer.New(s.Intake).Import(ctx, callerOf(ctx).OrgID, lines)
	if err != nil {
		return nil, err
	}
	out := Imported{Totals: report.Totals, Rejected: []RejectedLine{}, Position: report.Position.String()}
	for _, r := range report.Rejected {
		out.Rejected = append(out.Rejected, RejectedLine{Line: r.Line, Code: r.Fault.Code, Detail: r.Fault.Error()})
	}
	return written(out.Position, out), nil
}
