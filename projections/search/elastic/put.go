package elastic

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/cenkalti/backoff/v5"
	es "github.com/olivere/elastic/v7"

	"github.com/tidemark-desk/tidemark/internal/run"
)

var errConflict = errors.New("somebody else has written it")

// put writes a document over what was there at a moment; nil: over nothing. errConflict: something else is there, which
// may also be this, when the answer of an earlier try was lost. An engine that has too much to do has not tried.
func (e *Engine) put(ctx context.Context, at string, d document, over *mark) (mark, error) {
	req := es.NewBulkIndexRequest().Id(at).Doc(d)
	if over == nil {
		req.OpType("create")
	} else {
		req.IfSeqNo(over.sequence).IfPrimaryTerm(over.term)
	}
	lines, err := req.Source()
	if err != nil {
		return mark{}, fmt.Errorf("encode %s: %w", at, err)
	}
	body := strings.Join(lines, "\n") + "\n"
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval, wait.MaxInterval = shortestWait, longestWait
	for try := 1; ; try++ {
		now, err := e.putOnce(ctx, body)
		if err == nil || errors.Is(err, errConflict) {
			return now, err
		}
		is, ok := errors.AsType[*es.Error](err)
		tooMuch := ok && is.Status == http.StatusTooManyRequests && typeOf(err) != typeBlock
		if !tooMuch || try == tries || run.Pause(ctx, wait.NextBackOff()) != nil {
			return mark{}, e.away("write "+at, err)
		}
	}
}

func (e *Engine) putOnce(ctx context.Context, body string) (mark, error) {
	res, err := e.client.PerformRequest(ctx, es.PerformRequestOptions{
		Method: http.MethodPost, Path: e.path(), Body: body, ContentType: "application/x-ndjson",
		Params: url.Values{"require_alias": {"true"}},
	})
	if err != nil {
		return mark{}, err
	}
	var answer es.BulkResponse
	if err := json.Unmarshal(res.Body, &answer); err != nil {
		return mark{}, err
	}
	for _, item := range answer.Items {
		for _, r := range item {
			switch {
			case r.Status == http.StatusConflict:
				return mark{}, errConflict
			case r.Error == nil:
				return mark{sequence: r.SeqNo, term: r.PrimaryTerm}, nil
			}
			return mark{}, &es.Error{Status: r.Status, Details: r.Error}
		}
	}
	return mark{}, errors.New("no answer")
}
