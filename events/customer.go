package events

func init() {
	register[CustomerCreated]("A customer became known.")
	register[CustomerRenamed]("The customer has another name.")
	register[CustomerIdentified]("An address by which the customer is reached or known was added.")
	register[CustomerIdentityRemoved]("The address no longer belongs to the customer.")
	register[CustomerAttributesSet]("Attributes were set; null removes one.")
	register[CustomerMerged]("The customer turned out to be another one, who takes over.")
	register[CustomerAbsorbed]("Another customer turned out to be this one.")
	register[CustomerErased]("Everything about the customer is to be forgotten.")
	register[ClaimTaken]("An address was claimed for a customer: nobody else can have it.")
	register[ClaimMoved]("The claim passed to another customer.")
	register[ClaimReleased]("The address is free again.")
}

// IdentityType is the kind of an address.
type IdentityType string

// The types of identity.
const (
	IdentityEmail      IdentityType = "email"
	IdentityPhone      IdentityType = "phone"
	IdentityX          IdentityType = "x"
	IdentityFacebook   IdentityType = "facebook"
	IdentityExternalID IdentityType = "external_id"
)

// Identity is an address by which a customer is reached or known.
type Identity struct {
	Type  IdentityType `json:"type"`
	Value string       `json:"value"` // normalised
}

// CustomerCreated is the first event of a customer.
type CustomerCreated struct {
	Name string `json:"name"`
}

// CustomerRenamed gives the customer another name.
type CustomerRenamed struct {
	Name string `json:"name"`
}

// CustomerIdentified adds an address; its claim is in the same batch.
type CustomerIdentified struct {
	Identity
}

// CustomerIdentityRemoved takes an address away; its claim is released in the same batch.
type CustomerIdentityRemoved struct {
	Identity
	Reason string `json:"reason"`
}

// CustomerAttributesSet sets strings, numbers and booleans by name; null removes one.
type CustomerAttributesSet struct {
	Attributes map[string]any `json:"attributes"`
}

// CustomerMerged ends this customer in favour of another.
type CustomerMerged struct {
	IntoID string `json:"into_id"`
	Reason string `json:"reason"`
}

// CustomerAbsorbed says that another customer's history belongs here.
type CustomerAbsorbed struct {
	FromID     string     `json:"from_id"`
	Identities []Identity `json:"identities"` // that came with it
	Reason     string     `json:"reason"`
}

// CustomerErased is the tombstone that privacy law asks for. Nothing comes after it, and soon nothing is left before it.
type CustomerErased struct {
	Reason string `json:"reason"`
	WithID string `json:"with_id,omitempty"` // the customer in whose erasure this one is erased too, having been merged into them
}

// ClaimTaken makes an address unique. The claim's id is a keyed hash of the address.
type ClaimTaken struct {
	CustomerID string       `json:"customer_id"`
	Type       IdentityType `json:"type"`
}

// ClaimMoved passes the claim to another customer.
type ClaimMoved struct {
	CustomerID string `json:"customer_id"`
	Reason     string `json:"reason"`
}

// ClaimReleased frees the address.
type ClaimReleased struct {
	Reason string `json:"reason"`
}

// EventType is on disk.
func (CustomerCreated) EventType() string { return "customer.created.v1" }

// EventType is on disk.
func (CustomerRenamed) EventType() string { return "customer.renamed.v1" }

// EventType is on disk.
func (CustomerIdentified) EventType() string { return "customer.identified.v1" }

// EventType is on disk.
func (CustomerIdentityRemoved) EventType() string { return "customer.identity_removed.v1" }

// EventType is on disk.
func (CustomerAttributesSet) EventType() string { return "customer.attributes_set.v1" }

// EventType is on disk.
func (CustomerMerged) EventType() string { return "customer.merged.v1" }

// EventType is on disk.
func (CustomerAbsorbed) EventType() string { return "customer.absorbed.v1" }

// EventType is on disk.
func (CustomerErased) EventType() string { return "customer.erased.v1" }

// EventType is on disk.
func (ClaimTaken) EventType() string { return "claim.taken.v1" }

// EventType is on disk.
func (ClaimMoved) EventType() string { return "claim.moved.v1" }

// EventType is on disk.
func (ClaimReleased) EventType() string { return "claim.released.v1" }
