# What a Rails shop adds: the hook, and the answer that sends a buyer to pay.
require "openssl"

class Inbox < ActiveRecord::Base
  self.table_name = "inbox"
end

class Fulfilled < ActiveRecord::Base
  self.table_name = "fulfilled"
end

class Credited < ActiveRecord::Base
  self.table_name = "credited"
  self.inheritance_column = nil # `type` is a column as any other
end

class HooksController < ActionController::Base
  skip_forgery_protection
  before_action { head :unauthorized unless from_caddy? }
  before_action(only: :signed) { head :unauthorized unless signed? }

  def create
    ActiveRecord::Base.transaction do
      # `insert` does nothing where a unique index has the row.
      Inbox.insert({ idempotency_key: header("Idempotency-Key"), body: request.raw_post })
      # A repeat may be the first to have the flag: the order decides, or the record, and not the inbox.
      if header("Ccpayment-Fulfill") == "true" # a worker ships what is in the table
        Fulfilled.insert({ order_id: header("Ccpayment-Order-Id") })
      elsif header("Ccpayment-Credit") == "true"
        Credited.insert({ record_id: header("Ccpayment-Record-Id"), type: header("Ccpayment-Type"),
                          buyer: header("Ccpayment-Reference-Id") || header("Ccpayment-User-Id"),
                          coin: header("Ccpayment-Coin"), amount: header("Ccpayment-Amount") })
      end
    end
    render plain: "Success" # after the commit
  end
  alias signed create # for an app that checks CCPayment's signature already: `sign ccpayment`

  private

  def header(name) = request.headers[name].presence

  def from_caddy?
    token = ENV.fetch("SHOP_TOKEN").presence or return
    ActiveSupport::SecurityUtils.secure_compare(request.authorization.to_s, "Bearer #{token}") && header("Idempotency-Key")
  end

  def signed?
    text = "#{ENV.fetch("CCPAYMENT_APP_ID")}#{header("Timestamp")}#{request.raw_post}"
    sign = OpenSSL::HMAC.hexdigest("SHA256", ENV.fetch("CCPAYMENT_APP_SECRET"), text)
    ActiveSupport::SecurityUtils.secure_compare(header("Sign").to_s, sign)
  end
end

class CartsController < ActionController::Base
  def show
    render inline: "<%= button_to 'Buy', '/buy' %>"
  end

  def buy # with Rails' CSRF check, as it is a buyer's form
    render status: :payment_required,
           json: { order_id: "order-1", price: "49.90", currency: "USD", return_url: "#{request.base_url}/thanks" }
  end
end
