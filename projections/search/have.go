package search

import (
	"context"
	"slices"
)

// SubjectHave is where the search indexer tells what it has of conversations: HaveRequest → []Have.
const SubjectHave = "svc.search.have"

// HaveMost is how many conversations one request may name.
const HaveMost = 2000

// HaveRequest asks what the index has of some conversations of an org.
type HaveRequest struct {
	Org string   `json:"org"`
	IDs []string `json:"ids"`
}

// Have is what the index has of a conversation: everything up to Position.
type Have struct {
	ID       string `json:"id"`
	Messages uint64 `json:"messages"`
	Notes    uint64 `json:"notes"`
	Position uint64 `json:"position"`
}

// HaveOf is what a document has.
func HaveOf(d *Document) Have {
	return Have{ID: d.ID, Messages: uint64(len(d.Messages)), Notes: uint64(len(d.Notes)), Position: d.Position}
}

// Have hands over what the index has of the conversations, without those that it does not have. Errors: fault
// search_unavailable while nobody answers.
func (c *Client) Have(ctx context.Context, org string, ids []string, fn func(Have)) error {
	for some := range slices.Chunk(ids, HaveMost) {
		var list []Have
		if err := c.ask(ctx, SubjectHave, countTimeout, HaveRequest{Org: org, IDs: some}, &list); err != nil {
			return err
		}
		for _, h := range list {
			fn(h)
		}
	}
	return nil
}
