package wire

// EditUser changes an account. What is absent stays as it is.
type EditUser struct {
	Username  *string `json:"username,omitempty" maxLength:"150"`
	Email     *string `json:"email,omitempty" maxLength:"254"`
	FirstName *string `json:"first_name,omitempty" maxLength:"150"`
	LastName  *string `json:"last_name,omitempty" maxLength:"150"`
	Role      *string `json:"role,omitempty" enum:"user,moderator,admin"`
	Active    *bool   `json:"is_active,omitempty" doc:"False closes the account whatever its account_status, and ends its sessions."`
	Password  *string `json:"password,omitempty" maxLength:"128" doc:"A new password. It ends every session."`
}
