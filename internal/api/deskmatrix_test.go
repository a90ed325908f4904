package api

// deskMatrix is the part of matrix that is about the dashboard's desk; none of it is for API tokens.
const deskMatrix = `
POST   /users/{id}/acts                1 3 3 3 2 1 1 3 3 1
PATCH  /users/{id}                     1 3 3 3 2 1 1 3 3 1
GET    /users/{id}/export              1 3 3 3 2 1 1 3 3 1
POST   /users/{id}/erase               1 3 3 3 2 1 1 3 3 1
GET    /users/export                   1 3 - 3 2 1 1 3 3 1
GET    /audit/export                   1 3 - 3 2 1 1 3 3 1
GET    /views                          1 3 - 2 2 1 1 3 3 1
POST   /views                          1 3 - 2 2 1 1 3 3 1
PUT    /views/{view}                   1 3 - 2 2 1 1 3 3 1
DELETE /views/{view}                   1 3 - 2 2 1 1 3 3 1
GET    /settings/timeouts              1 3 - 3 2 1 1 3 3 1
PUT    /settings/timeouts              1 3 - 3 2 1 1 3 3 1
DELETE /settings/timeouts              1 3 - 3 2 1 1 3 3 1
POST   /settings/timeouts/preview      1 3 - 3 2 1 1 3 3 1
GET    /system                         1 3 - 3 2 1 1 3 3 1
GET    /attention                      1 3 - 2 2 1 1 3 3 1
POST   /users                          1 3 - 3 2 1 1 3 3 1
GET    /identity/proxies               1 3 - 3 2 1 1 3 3 1
GET    /trash                          1 3 - 3 2 1 1 3 3 1
DELETE /trash/{id}                     1 3 3 3 2 1 1 3 3 1
POST   /jobs                           1 3 - 3 2 1 1 3 3 1
GET    /jobs                           1 3 - 3 2 1 1 3 3 1
GET    /jobs/{job}                     1 3 - 3 2 1 1 3 3 1
GET    /jobs/{job}/rows                1 3 - 3 2 1 1 3 3 1
POST   /jobs/{job}/cancel              1 3 - 3 9 1 1 3 3 1
POST   /jobs/{job}/undo                1 3 - 3 2 1 1 3 3 1
`
