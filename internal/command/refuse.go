package command

import "context"

// Refuse answers a command that its caller refuses for a reason outside the aggregate, such as an agent who no longer
// works at the desk: as the first time when the command has happened, because once done is done for ever, and with the
// refusal otherwise. The same id with another content is ErrKeyReused, as always. Nothing is written.
func (h *Handler[S, C]) Refuse(ctx context.Context, org, id string, m Meta, refusal error) (Result, error) {
	return h.loop.Atomic(ctx, m, func(tx *Tx) error {
		if _, _, err := Peek(tx, h, org, id); err != nil {
			return err // also that it has happened, which Atomic answers
		}
		return refusal
	})
}
