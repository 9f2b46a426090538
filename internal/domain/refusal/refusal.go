// Package refusal is the table of every fault by which the domain refuses a command, in one place so that the list
// of codes can be documented and never drifts.
//
// A code is part of the public interface: it is never renamed and never given another meaning. The packages of the
// aggregates give these sentinels shorter names of their own, such as conversation.ErrClosed.
package refusal

import "github.com/tidemark-desk/tidemark/internal/fault"

// Of every kind of aggregate.
var (
	ErrTextInvalid       = fault.New(fault.Invalid, "text_invalid", "the text is not allowed")
	ErrIDInvalid         = fault.New(fault.Invalid, "id_invalid", "an id is 1 to 64 letters, digits, '-' or '_'")
	ErrAttributesInvalid = fault.New(fault.Invalid, "attributes_invalid", "the attributes are not allowed")
	ErrIdentityInvalid   = fault.New(fault.Invalid, "identity_invalid", "the address is not of its type's form")
	ErrTagInvalid        = fault.New(fault.Invalid, "tag_invalid", "the tag is not allowed")
)

// Of conversations.
var (
	ErrConversationNotFound  = fault.New(fault.NotFound, "conversation_not_found", "there is no such conversation")
	ErrConversationExists    = fault.New(fault.Conflict, "conversation_exists", "another conversation has this id")
	ErrConversationErased    = fault.New(fault.NotFound, "conversation_erased", "the conversation was erased with its customer")
	ErrConversationClosed    = fault.New(fault.Conflict, "conversation_closed", "the conversation is closed").WithHint("reopen it first")
	ErrConversationSnoozed   = fault.New(fault.Conflict, "conversation_snoozed", "the conversation is snoozed")
	ErrConversationMerged    = fault.New(fault.Conflict, "conversation_merged", "the conversation goes on in another one")
	ErrConversationAssigned  = fault.New(fault.Conflict, "conversation_assigned", "another agent has the conversation")
	ErrConversationElsewhere = fault.New(fault.Conflict, "conversation_not_in_queue", "the conversation no longer waits in that queue")
	ErrConversationTags      = fault.New(fault.Conflict, "conversation_tags_full", "a conversation has at most 100 tags")
	ErrMergeIntoItself       = fault.New(fault.Invalid, "merge_into_itself", "a conversation cannot be merged into itself or into one that it absorbed")
	ErrMessageUnknown        = fault.New(fault.NotFound, "message_not_found", "the conversation has no such message")
	ErrChannelInvalid        = fault.New(fault.Invalid, "channel_invalid", "a channel is one of chat, email, sms, x, facebook")
	ErrPriorityInvalid       = fault.New(fault.Invalid, "priority_invalid", "a priority is one of low, normal, high, urgent")
	ErrSnoozeInvalid         = fault.New(fault.Invalid, "snooze_invalid", "a snooze ends in the future, at most ten years ahead")
	ErrSurveyNotFound        = fault.New(fault.NotFound, "survey_not_found", "there is no such survey")
	ErrSurveyExpired         = fault.New(fault.Conflict, "survey_expired", "the time to answer the survey is over")
	ErrSurveyExcused         = fault.New(fault.Conflict, "survey_excused", "the survey is no longer asked: the conversation went on")
	ErrSurveyAnswered        = fault.New(fault.Conflict, "survey_answered", "the survey was answered more than an hour ago")
	ErrScoreInvalid          = fault.New(fault.Invalid, "score_invalid", "a score is 1 to 5")
	ErrAttachmentsInvalid    = fault.New(fault.Invalid, "attachments_invalid", "the attachments are not allowed")
	ErrActorInvalid          = fault.New(fault.Invalid, "actor_invalid", "an author or reader has a known type and an id of the usual form")
)

// Of customers and their addresses.
var (
	ErrCustomerNotFound   = fault.New(fault.NotFound, "customer_not_found", "there is no such customer")
	ErrCustomerExists     = fault.New(fault.Conflict, "customer_exists", "another customer has this id")
	ErrCustomerErased     = fault.New(fault.NotFound, "customer_erased", "the customer was erased")
	ErrCustomerMerged     = fault.New(fault.Conflict, "customer_merged", "the customer turned out to be another one")
	ErrCustomerMergeSelf  = fault.New(fault.Invalid, "customer_merge_into_itself", "a customer cannot be merged into itself or into one that it absorbed")
	ErrCustomerIdentities = fault.New(fault.Conflict, "customer_identities_full", "a customer has at most 50 addresses")
	ErrIdentityTaken      = fault.New(fault.Conflict, "identity_taken", "another customer has this address")
	ErrIdentityFree       = fault.New(fault.Conflict, "identity_free", "nobody has this address")
)

// Of configuration.
var (
	ErrOrgNotFound           = fault.New(fault.NotFound, "org_not_found", "there is no such org")
	ErrOrgExists             = fault.New(fault.Conflict, "org_exists", "another org has this id")
	ErrOrgSecret             = fault.New(fault.Invalid, "org_secret_invalid", "an org's secret is 32 random bytes")
	ErrTimezoneInvalid       = fault.New(fault.Invalid, "timezone_invalid", "a time zone is a name of the IANA database, such as Europe/Berlin")
	ErrAgentNotFound         = fault.New(fault.NotFound, "agent_not_found", "there is no such agent")
	ErrAgentExists           = fault.New(fault.Conflict, "agent_exists", "another agent has this id")
	ErrAgentDeactivated      = fault.New(fault.Conflict, "agent_deactivated", "the agent no longer works at the desk")
	ErrRoleInvalid           = fault.New(fault.Invalid, "role_invalid", "a role is one of admin, agent")
	ErrPresenceInvalid       = fault.New(fault.Invalid, "presence_invalid", "a presence is one of online, away, offline")
	ErrCapacityInvalid       = fault.New(fault.Invalid, "capacity_invalid", "a capacity is 0 to 1,000 conversations")
	ErrSkillsInvalid         = fault.New(fault.Invalid, "skills_invalid", "an agent has at most 100 skills")
	ErrKeyNotFound           = fault.New(fault.NotFound, "key_not_found", "there is no such key")
	ErrKeyExists             = fault.New(fault.Conflict, "key_exists", "another key has this id")
	ErrKeyHash               = fault.New(fault.Invalid, "key_hash_invalid", "a key's hash is the 32 bytes of a SHA-256")
	ErrQueueNotFound         = fault.New(fault.NotFound, "queue_not_found", "there is no such queue")
	ErrQueueExists           = fault.New(fault.Conflict, "queue_exists", "another queue has this id")
	ErrQueueArchived         = fault.New(fault.Conflict, "queue_archived", "the queue takes no more conversations")
	ErrQueueMembers          = fault.New(fault.Conflict, "queue_members_full", "a queue has at most 1,000 members")
	ErrChannelNotFound       = fault.New(fault.NotFound, "channel_not_found", "there is no such channel")
	ErrChannelExists         = fault.New(fault.Conflict, "channel_exists", "another channel has this id")
	ErrChannelDisabled       = fault.New(fault.Conflict, "channel_disabled", "the channel takes no new messages")
	ErrSiteKeyInvalid        = fault.New(fault.Invalid, "site_key_invalid", "a chat channel, and no other, has a site key of 1 to 64 letters, digits, '-' or '_'")
	ErrChannelNotChat        = fault.New(fault.Conflict, "channel_not_chat", "only a chat channel can be set so")
	ErrOriginsInvalid        = fault.New(fault.Invalid, "origins_invalid", "an origin is http:// or https://, a host and perhaps a port; at most 100 of them")
	ErrIdentitySecretMissing = fault.New(fault.Conflict, "identity_secret_missing", "the channel has no secret to prove an identity with").
					WithHint("rotate the identity secret first")
	ErrSurveyInvalid    = fault.New(fault.Invalid, "survey_invalid", "only chat channels ask visitors how it went, and for an answer within 1 to 8,784 hours")
	ErrThemeInvalid     = fault.New(fault.Invalid, "theme_invalid", "a theme has a colour #rrggbb, a position left or right, and a mode auto, light or dark")
	ErrLanguagesInvalid = fault.New(fault.Invalid, "languages_invalid", "languages are at most 50 tags such as de or pt-BR, and the default is one of them")
	ErrPreChatInvalid   = fault.New(fault.Invalid, "pre_chat_form_invalid", "the form before the chat is not allowed")
	ErrHoursInvalid     = fault.New(fault.Invalid, "office_hours_invalid", "the office hours are not allowed")
	ErrRuleNotFound     = fault.New(fault.NotFound, "rule_not_found", "there is no such rule")
	ErrRuleExists       = fault.New(fault.Conflict, "rule_exists", "another rule has this id")
	ErrRuleInvalid      = fault.New(fault.Invalid, "rule_invalid", "the rule cannot run")
	ErrStepInvalid      = fault.New(fault.Invalid, "step_invalid", "a step of a run is one of the first 64")
)

// All lists every refusal, in the order of the sections above.
var All = []*fault.Fault{
	ErrTextInvalid, ErrIDInvalid, ErrAttributesInvalid, ErrIdentityInvalid, ErrTagInvalid,

	ErrConversationNotFound, ErrConversationExists, ErrConversationErased, ErrConversationClosed, ErrConversationSnoozed, ErrConversationMerged,
	ErrConversationAssigned, ErrConversationElsewhere, ErrConversationTags, ErrMergeIntoItself, ErrMessageUnknown, ErrChannelInvalid,
	ErrPriorityInvalid, ErrSnoozeInvalid, ErrSurveyNotFound, ErrSurveyExpired, ErrSurveyExcused, ErrSurveyAnswered, ErrScoreInvalid, ErrAttachmentsInvalid, ErrActorInvalid,

	ErrCustomerNotFound, ErrCustomerExists, ErrCustomerErased, ErrCustomerMerged, ErrCustomerMergeSelf, ErrCustomerIdentities,
	ErrIdentityTaken, ErrIdentityFree,

	ErrOrgNotFound, ErrOrgExists, ErrOrgSecret, ErrTimezoneInvalid, ErrAgentNotFound, ErrAgentExists, ErrAgentDeactivated, ErrRoleInvalid,
	ErrPresenceInvalid, ErrCapacityInvalid, ErrSkillsInvalid, ErrKeyNotFound, ErrKeyExists, ErrKeyHash, ErrQueueNotFound, ErrQueueExists,
	ErrQueueArchived, ErrQueueMembers, ErrChannelNotFound, ErrChannelExists, ErrChannelDisabled, ErrSiteKeyInvalid, ErrOriginsInvalid,
	ErrChannelNotChat, ErrIdentitySecretMissing, ErrSurveyInvalid, ErrThemeInvalid, ErrLanguagesInvalid, ErrPreChatInvalid, ErrHoursInvalid, ErrRuleNotFound,
	ErrRuleExists, ErrRuleInvalid, ErrStepInvalid,
}
