package events

// Beside tells whether an event of a conversation is no change of it: who has read how far, and surveys. What a visitor says
// days after the closing must not bring the conversation back to the top of the list, and neither must a timer.
func Beside(e Event) bool {
	switch e.(type) {
	case ConversationReadUpTo,
		ConversationSurveyRequested, ConversationSurveyAnswered, ConversationSurveyExpired, ConversationSurveyExcused:
		return true
	}
	return false
}
