package wire

// NewUser makes an account for somebody; it is not signed in by that.
type NewUser struct {
	Username  string `json:"username" minLength:"1" maxLength:"150"`
	Email     string `json:"email,omitempty" maxLength:"254" doc:"Absent: one is made up."`
	Password  string `json:"password" minLength:"8" maxLength:"128"`
	FirstName string `json:"first_name,omitempty" maxLength:"150"`
	LastName  string `json:"last_name,omitempty" maxLength:"150"`
	Role      string `json:"role,omitempty" enum:"user,moderator,admin" doc:"Absent: user."`
}
