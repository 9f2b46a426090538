package relevance

// synonyms are pairs of words that somebody may take one of for the other.
var synonyms = [][2]string{
	{"account", "profile"},
	{"address", "location"},
	{"answer", "reply"},
	{"apartment", "flat"},
	{"bill", "invoice"},
	{"book", "reserve"},
	{"broken", "faulty"},
	{"bus", "coach"},
	{"buy", "purchase"},
	{"call", "phone"},
	{"cancel", "annul"},
	{"cheap", "inexpensive"},
	{"city", "town"},
	{"clean", "tidy"},
	{"crash", "freeze"},
	{"delay", "postpone"},
	{"delete", "remove"},
	{"doctor", "physician"},
	{"error", "fault"},
	{"fast", "quick"},
	{"film", "movie"},
	{"find", "locate"},
	{"fix", "repair"},
	{"flight", "plane"},
	{"help", "assist"},
	{"hotel", "lodging"},
	{"internet", "broadband"},
	{"item", "article"},
	{"late", "overdue"},
	{"luggage", "baggage"},
	{"money", "cash"},
	{"music", "songs"},
	{"near", "close"},
	{"number", "digits"},
	{"order", "purchase"},
	{"package", "parcel"},
	{"password", "passcode"},
	{"picture", "photo"},
	{"price", "cost"},
	{"problem", "issue"},
	{"refund", "reimburse"},
	{"rent", "hire"},
	{"restaurant", "diner"},
	{"seat", "chair"},
	{"send", "ship"},
	{"service", "support"},
	{"shop", "store"},
	{"show", "display"},
	{"slow", "sluggish"},
	{"stop", "halt"},
	{"street", "road"},
	{"ticket", "pass"},
	{"train", "rail"},
	{"trip", "journey"},
	{"video", "clip"},
	{"wait", "hold"},
	{"weather", "forecast"},
	{"website", "page"},
	{"weekend", "saturday"},
	{"wrong", "incorrect"},
}

// synonym is another word for a word, empty when none is known.
func synonym(w string) string {
	for _, pair := range synonyms {
		switch w {
		case pair[0]:
			return pair[1]
		case pair[1]:
			return pair[0]
		}
	}
	return ""
}
