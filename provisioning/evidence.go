package provisioning

// DecisionRef is enough of a decision to find the tokens that rest on it.
type DecisionRef struct {
	ID     DecisionID
	Client ClientID
	User   UserID
}
