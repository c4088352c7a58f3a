package coinpayments

// Buyer is who pays an invoice.
type Buyer struct {
	CompanyName  string   `json:"companyName"`
	Name         FullName `json:"name"`
	EmailAddress string   `json:"emailAddress"`
	PhoneNumber  string   `json:"phoneNumber"`
	Address      Address  `json:"address"`
	HasData      bool     `json:"hasData"` // in answers
}

func (b Buyer) write(o *object) {
	writePerson(o, b.CompanyName, b.Name, b.EmailAddress, b.PhoneNumber, b.Address)
}

func writePerson(o *object, company string, name FullName, email, phone string, address Address) {
	o.optionalText("companyName", company, 300)
	o.child("name", name.write)
	o.email("emailAddress", email)
	o.optionalText("phoneNumber", phone, 50)
	o.child("address", address.write)
}

// FullName is a person's name.
type FullName struct {
	FirstName string `json:"firstName"` // at most 140 characters
	LastName  string `json:"lastName"`  // at most 140 characters
}

func (n FullName) write(o *object) {
	o.optionalText("firstName", n.FirstName, 140)
	o.optionalText("lastName", n.LastName, 140)
}

// Address is a postal address.
type Address struct {
	Address1         string `json:"address1"` // each line at most 300 characters
	Address2         string `json:"address2"`
	Address3         string `json:"address3"`
	ProvinceOrState  string `json:"provinceOrState"`  // at most 300 characters
	City             string `json:"city"`             // at most 120 characters
	SuburbOrDistrict string `json:"suburbOrDistrict"` // at most 100 characters
	CountryCode      string `json:"countryCode"`      // two capitals, ISO 3166
	PostalCode       string `json:"postalCode"`       // at most 60 characters
}

func (a Address) write(o *object) {
	o.optionalText("address1", a.Address1, 300)
	o.optionalText("address2", a.Address2, 300)
	o.optionalText("address3", a.Address3, 300)
	o.optionalText("provinceOrState", a.ProvinceOrState, 300)
	o.optionalText("city", a.City, 120)
	o.optionalText("suburbOrDistrict", a.SuburbOrDistrict, 100)
	if code := a.CountryCode; code != "" && (len(code) != 2 || code[0] < 'A' || code[0] > 'Z' || code[1] < 'A' || code[1] > 'Z') {
		o.wrong("countryCode", "is not two capital letters: %.10q", code)
	}
	o.optionalText("countryCode", a.CountryCode, 2)
	o.optionalText("postalCode", a.PostalCode, 60)
}

// Shipping is where goods go. Some answers have the address alone.
type Shipping struct {
	Method       string   `json:"method"` // at most 127 characters
	CompanyName  string   `json:"companyName"`
	Name         FullName `json:"name"`
	EmailAddress string   `json:"emailAddress"`
	PhoneNumber  string   `json:"phoneNumber"`
	Address      Address  `json:"address"`
	HasData      bool     `json:"hasData"` // in answers
}

func (s Shipping) write(o *object) {
	o.optionalText("method", s.Method, 127)
	writePerson(o, s.CompanyName, s.Name, s.EmailAddress, s.PhoneNumber, s.Address)
}

// Merchant is who gets the money.
type Merchant struct {
	ID                 string `json:"id"`
	Name               string `json:"name"`
	UBOName            string `json:"uboName"` // of the ultimate beneficial owner
	WebsiteURL         string `json:"websiteUrl"`
	Country            string `json:"country"`
	LogoURL            string `json:"logoUrl"`
	Email              string `json:"email"`
	Address            string `json:"address"`
	Phone              string `json:"phone"`
	Description        string `json:"description"`
	RegistrationNumber string `json:"registrationNumber"`
}

// MerchantOptions is what an invoice shows of the merchant.
type MerchantOptions struct {
	ShowAddress            bool   `json:"showAddress"`
	ShowEmail              bool   `json:"showEmail"`
	ShowPhone              bool   `json:"showPhone"`
	ShowRegistrationNumber bool   `json:"showRegistrationNumber"`
	AdditionalInfo         string `json:"additionalInfo"`
}

func (m MerchantOptions) write(o *object) {
	o.flag("showAddress", m.ShowAddress)
	o.flag("showEmail", m.ShowEmail)
	o.flag("showPhone", m.ShowPhone)
	o.flag("showRegistrationNumber", m.ShowRegistrationNumber)
	o.optionalText("additionalInfo", m.AdditionalInfo, 2000)
}

// EmailDelivery is whom an invoice is mailed to: addresses with semicolons in between,
// each list at most 500 characters.
type EmailDelivery struct {
	To  string `json:"to"`
	CC  string `json:"cc"`
	BCC string `json:"bcc"`
}

func (e EmailDelivery) write(o *object) {
	o.optionalText("to", e.To, 500)
	o.optionalText("cc", e.CC, 500)
	o.optionalText("bcc", e.BCC, 500)
}

// Metadata says by which software an invoice was made.
type Metadata struct {
	Integration string `json:"integration"`
	HostName    string `json:"hostName" also:"hostname"`
}
