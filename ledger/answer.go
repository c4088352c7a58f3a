package ledger

// Answer is what the app answered to one attempt, for people who look for the reason. It
// is kept as long as the event's body, of the latest [MostAnswers] attempts. The relay
// takes out what authorizes its requests, and what is no text.
type Answer struct {
	// Attempt is the attempt's number.
	Attempt int `json:"attempt"`
	// Status is the HTTP status.
	Status int `json:"status"`
	// Location is where a redirect leads to, without its query; empty: it is none.
	Location string `json:"location,omitempty"`
	// Body is the beginning of the answer's body, and Cut says that there was more.
	Body string `json:"body,omitempty"`
	Cut  bool   `json:"cut,omitempty"`
}

// MostAnswers is how many answers are kept of an event: so a new one takes the place of
// that so many attempts before.
const MostAnswers = 20

// Slot is the place of the answer among those that are kept of its event.
func (a Answer) Slot() int { return a.Attempt % MostAnswers }
