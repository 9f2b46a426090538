package eraser_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/aggregates"
	"github.com/tidemark-desk/tidemark/internal/command"
	"github.com/tidemark-desk/tidemark/internal/domain/conversation"
	"github.com/tidemark-desk/tidemark/internal/intake"
	"github.com/tidemark-desk/tidemark/internal/testkit"
	"github.com/tidemark-desk/tidemark/projections/reactortest"
)

// personal is what people of the scenes say and are called: none of it may be left.
var personal = []string{"Berg", "confession", "zoe@example.com", "old@example.com", "4930901820"}

// scene is a customer with conversations and a past, and somebody else.
type scene struct {
	zoe, old      string
	conversations []string
	bob, kept     string
}

// scene has zoe, into whom old was merged, write with n conversations each.
func (p *process) scene(n int) scene {
	p.Helper()
	var s scene
	say := func(who intake.Customer) (id string) {
		p.Helper()
		for i := range n {
			var c string
			id, c = p.open(who, fmt.Sprintf("confession %d", i))
			p.change(c, conversation.AddNote{NoteID: "n", Author: events.Actor{Type: events.ActorAgent, ID: "ann"}, Text: "what a confession"})
			p.change(c, conversation.SetAttributes{Attributes: map[string]any{"visitor_email": "zoe@example.com"}})
			s.conversations = append(s.conversations, c)
		}
		return id
	}
	s.zoe = say(intake.Customer{Name: "Zoe Berg", Email: "zoe@example.com", Phone: "+49 30 901820"})
	s.old = say(intake.Customer{Name: "Z. Berg", Email: "old@example.com"})
	p.merge(s.old, s.zoe)
	s.bob, s.kept = p.open(intake.Customer{Name: "Bob", Email: "bob@example.com"}, "hello")
	return s
}

// check holds the log against what an erasure of the scene has to leave.
func (p *process) check(s scene) {
	p.Helper()
	p.gone(personal, []string{s.zoe, s.old}, s.conversations)
	if got := p.types(events.KindConversation, s.kept); len(got) != 2 || len(p.types(events.KindCustomer, s.bob)) != 2 {
		p.Errorf("somebody else's conversation has %v", got)
	}
}

func TestAnErasureEnds(t *testing.T) {
	t.Parallel()
	p := setup(t).process()
	s := p.scene(2)
	if err := p.erase(s.zoe); err != nil {
		t.Fatal(err)
	}
	p.done(s.zoe)
	p.check(s)
	p.idle()
	// Whoever is erased again by another process with an empty database finds nothing to do.
	p.stop()
	b := *p.bench
	b.database = reactortest.Database(t)
	head := testkit.Head(t, b.log)
	p = b.process()
	if err := p.erase(s.zoe); err != nil {
		t.Fatal(err)
	}
	p.done(s.zoe)
	p.idle()
	if p.check(s); testkit.Head(t, b.log) != head {
		t.Errorf("%d more events", testkit.Head(t, b.log)-head)
	}
}

// TestTheLogIsTheList: nobody has read anything yet when the tombstone is written.
func TestTheLogIsTheList(t *testing.T) {
	t.Parallel()
	b := setup(t)
	writer := b.mortal(-1, false)
	writer.stop() // it reads nothing: only its loop and its log are used
	s := writer.scene(3)
	if err := writer.erase(s.zoe); err != nil {
		t.Fatal(err)
	}
	p := b.process()
	p.done(s.zoe)
	p.idle()
	p.check(s)
}

// TestOpenedTooLate: a conversation that got into the log behind the tombstone, as one may that was being opened at the
// same moment, is erased as soon as it is heard of, also when that erasure has ended long ago.
func TestOpenedTooLate(t *testing.T) {
	t.Parallel()
	p := setup(t).process()
	s := p.scene(1)
	if err := p.erase(s.zoe); err != nil {
		t.Fatal(err)
	}
	late := func(id, customer string) {
		t.Helper()
		p.change(id, conversation.Open{CustomerID: customer, Channel: events.ChannelChat, Subject: "confession"})
		p.change(id, conversation.ReceiveMessage{MessageID: "m", Text: "confession"})
	}
	late("at-once", s.old)
	p.done(s.zoe)
	p.idle()
	late("much-later", s.zoe)
	testkit.Until(t, "it is erased", func() bool {
		return slices.Equal(p.types(events.KindConversation, "much-later"), []string{"conversation.erased.v1"})
	})
	p.idle()
	s.conversations = append(s.conversations, "at-once", "much-later")
	p.check(s)
}

// TestManyConversations: more than one intent has.
func TestManyConversations(t *testing.T) {
	t.Parallel()
	p := setup(t).process()
	s := p.scene(1)
	conversations := aggregates.Conversations(p.loop)
	_, err := p.loop.Atomic(t.Context(), command.Meta{}, func(tx *command.Tx) error {
		for i := range 250 {
			id := fmt.Sprint("more-", i)
			s.conversations = append(s.conversations, id)
			open := conversation.Command(conversation.Open{CustomerID: s.zoe, Channel: events.ChannelChat, Subject: "confession"})
			if err := command.Stage(tx, conversations, "acme", id, open); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		err = p.erase(s.zoe)
	}
	if err != nil {
		t.Fatal(err)
	}
	p.done(s.zoe)
	p.check(s)
}

// TestParkedKeysGoOn: what a projection keeps of an event that it could not apply goes with the event.
func TestParkedKeysGoOn(t *testing.T) {
	t.Parallel()
	p := setup(t).process()
	s := p.scene(1)
	for i, key := range []string{"acme.conversation." + s.conversations[0], "acme.customer." + s.old, "acme.conversation." + s.kept} {
		if _, err := p.pool.Exec(t.Context(), `INSERT INTO tidemark.parked (projection, partition, key, sequence, type, error, attempts, since)
			VALUES ('inbox', $1, $2, 1, 'conversation.opened.v1', 'about a confession', 3, now())`, i, key); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.erase(s.zoe); err != nil {
		t.Fatal(err)
	}
	p.done(s.zoe)
	p.idle()
	rows, err := p.pool.Query(t.Context(), "SELECT coalesce(asked, '') FROM tidemark.parked ORDER BY partition")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var asked []string
	for rows.Next() {
		var a string
		if err := rows.Scan(&a); err != nil {
			t.Fatal(err)
		}
		asked = append(asked, a)
	}
	if want := []string{"retry", "retry", ""}; rows.Err() != nil || !slices.Equal(asked, want) {
		t.Errorf("asked %q, want %q; %v", asked, want, rows.Err())
	}
}
