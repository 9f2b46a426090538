package modeltest

import (
	"fmt"
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/tidemark-desk/tidemark/events"
)

// Draw makes a random stream: two orgs with the same ids in both, conversations that go through all that can happen to
// one, customers who are merged (once, as the domain has it) and erased.
func Draw(t *rapid.T) []events.Recorded {
	var log Log
	merged := map[events.Aggregate]bool{}
	for range rapid.IntRange(1, 60).Draw(t, "events") {
		org := rapid.SampledFrom([]string{"acme", "globex"}).Draw(t, "org")
		if rapid.IntRange(0, 4).Draw(t, "of a customer") == 0 {
			id := customerID(t)
			a := events.Aggregate{Org: org, Kind: events.KindCustomer, ID: id}
			e := customerEvent(t, &log, a)
			if m, ok := e.(events.CustomerMerged); ok {
				if merged[a] || m.IntoID == id {
					continue
				}
				merged[a] = true
			}
			log.Customer(org, id, e)
			continue
		}
		id := conversationID(t)
		a := events.Aggregate{Org: org, Kind: events.KindConversation, ID: id}
		if log.revisions[a] == 0 {
			log.Conversation(org, id, events.ConversationOpened{
				CustomerID: customerID(t), Channel: rapid.SampledFrom(events.Channels).Draw(t, "channel"), Subject: text(t),
			})
			continue
		}
		log.Conversation(org, id, conversationEvent(t))
	}
	for i := range log.Events {
		// Imported messages carry times of their own, in any order and finer than a microsecond.
		log.Events[i].Time = Epoch.Add(time.Duration(rapid.Int64Range(-1e15, 1e15).Draw(t, "time")))
	}
	return log.Events
}

// Batches hands a stream over as the engine may: each aggregate's events in order, everything else in any, cut anywhere.
func Batches(t *rapid.T, stream []events.Recorded) [][]events.Recorded {
	queues := map[events.Aggregate][]events.Recorded{}
	var ready []events.Aggregate
	for _, r := range stream {
		if _, seen := queues[r.Aggregate]; !seen {
			ready = append(ready, r.Aggregate)
		}
		queues[r.Aggregate] = append(queues[r.Aggregate], r)
	}
	var out [][]events.Recorded
	var batch []events.Recorded
	for len(ready) > 0 {
		i := rapid.IntRange(0, len(ready)-1).Draw(t, "next")
		a := ready[i]
		batch = append(batch, queues[a][0])
		if queues[a] = queues[a][1:]; len(queues[a]) == 0 {
			ready = append(ready[:i], ready[i+1:]...)
		}
		if rapid.IntRange(0, 5).Draw(t, "cut") == 0 {
			out = append(out, batch)
			batch = nil
		}
	}
	return append(out, batch)
}

func customerEvent(t *rapid.T, log *Log, a events.Aggregate) events.Event {
	if log.revisions[a] == 0 {
		return events.CustomerCreated{Name: text(t)}
	}
	switch rapid.IntRange(0, 7).Draw(t, "customer event") {
	case 0:
		return events.CustomerRenamed{Name: text(t)}
	case 1, 2:
		return events.CustomerIdentified{Identity: identity(t)}
	case 3:
		return events.CustomerIdentityRemoved{Identity: identity(t)}
	case 4:
		return events.CustomerAttributesSet{Attributes: attributes(t)}
	case 5:
		return events.CustomerAbsorbed{FromID: customerID(t), Identities: []events.Identity{identity(t)}}
	case 6:
		return events.CustomerMerged{IntoID: customerID(t)}
	default:
		return events.CustomerErased{Reason: "asked"}
	}
}

func conversationEvent(t *rapid.T) events.Event {
	draws := []func() events.Event{
		func() events.Event {
			return events.ConversationMessageReceived{MessageID: messageID(t), CustomerID: customerID(t), Text: text(t), Attachments: attachments(t)}
		},
		func() events.Event {
			return events.ConversationMessageWritten{MessageID: messageID(t), Author: actor(t), Text: text(t), Attachments: attachments(t)}
		},
		func() events.Event {
			return events.ConversationReadUpTo{Reader: actor(t), MessageID: messageID(t)}
		},
		func() events.Event {
			return events.ConversationNoteAdded{NoteID: messageID(t), Author: actor(t), Text: text(t), Attachments: attachments(t)}
		},
		func() events.Event { return events.ConversationSubjectSet{Subject: text(t)} },
		func() events.Event { return events.ConversationQueued{QueueID: "q1", Reason: text(t)} },
		func() events.Event { return events.ConversationAssigned{AgentID: "ann", Reason: "manual"} },
		func() events.Event { return events.ConversationUnassigned{AgentID: "ann", Reason: "offline"} },
		func() events.Event {
			return events.ConversationPrioritySet{Priority: rapid.SampledFrom(append(events.Priorities, "odd")).Draw(t, "priority")}
		},
		func() events.Event { return events.ConversationTagged{Tag: tag(t)} },
		func() events.Event { return events.ConversationUntagged{Tag: tag(t)} },
		func() events.Event { return events.ConversationAttributesSet{Attributes: attributes(t)} },
		func() events.Event { return events.ConversationSnoozed{Until: Epoch.Add(time.Hour)} },
		func() events.Event { return events.ConversationWoke{Reason: "time"} },
		func() events.Event { return events.ConversationClosed{Reason: "done"} },
		func() events.Event { return events.ConversationReopened{Reason: "message"} },
		func() events.Event { return events.ConversationMerged{IntoID: conversationID(t), Reason: "same"} },
		func() events.Event { return events.ConversationAbsorbed{FromID: conversationID(t), Reason: "same"} },
		func() events.Event { return events.ConversationErased{Reason: "customer_erased"} },
	}
	return rapid.SampledFrom(draws).Draw(t, "conversation event")()
}

func customerID(t *rapid.T) string {
	return fmt.Sprintf("u%d", rapid.IntRange(1, 3).Draw(t, "customer"))
}

func conversationID(t *rapid.T) string {
	return fmt.Sprintf("c%d", rapid.IntRange(1, 4).Draw(t, "conversation"))
}

func messageID(t *rapid.T) string {
	return fmt.Sprintf("m%d", rapid.IntRange(1, 12).Draw(t, "message"))
}

func actor(t *rapid.T) events.Actor {
	types := []string{events.ActorAgent, events.ActorCustomer, events.ActorWorkflow, events.ActorImport}
	return events.Actor{Type: rapid.SampledFrom(types).Draw(t, "actor"), ID: "ann"}
}

func identity(t *rapid.T) events.Identity {
	return events.Identity{
		Type:  rapid.SampledFrom([]events.IdentityType{events.IdentityEmail, events.IdentityX}).Draw(t, "type"),
		Value: rapid.SampledFrom([]string{"a@example.org", "b@example.org", strings.Repeat("ö", 5000), "\x00"}).Draw(t, "value"),
	}
}

func attributes(t *rapid.T) map[string]any {
	value := rapid.SampledFrom([]any{nil, "text \x00 \\u0000 ✓", 1.5, 1e21, -7.0, true, nil})
	return rapid.MapOfN(rapid.SampledFrom([]string{"plan", "größe", "with \x00"}), value, 1, 3).Draw(t, "attributes")
}

func tag(t *rapid.T) string {
	return rapid.SampledFrom([]string{"vip", "größe", "a, \"b\" {c} \\ NULL", "null", "\x00", strings.Repeat("x", 5000)}).Draw(t, "tag")
}

func text(t *rapid.T) string {
	return rapid.OneOf(
		rapid.String(),
		rapid.SampledFrom([]string{
			"", "   ", "\x00", "👩‍👩‍👧‍👦 family", "مرحبا\nhow are you", strings.Repeat("long ", 20_000), strings.Repeat("✓", 300),
		}),
	).Draw(t, "text")
}

func attachments(t *rapid.T) []events.Attachment {
	var list []events.Attachment
	for range rapid.IntRange(0, 2).Draw(t, "attachments") {
		list = append(list, events.Attachment{ID: "hash", Name: text(t), Type: "image/png", Size: 7, Width: rapid.IntRange(0, 1).Draw(t, "width")})
	}
	return list
}
