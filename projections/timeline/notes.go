package timeline

import "context"

// Notes gives the notes of a conversation and of all that were merged into it, as Messages does.
func (r *Reader) Notes(ctx context.Context, org, conversationID string, q Query) (Page, error) {
	return r.conversation(ctx, "notes", org, conversationID, []string{string(NoteAdded)}, q)
}
