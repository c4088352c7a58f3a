# The smallest Rails around hook.rb; your app has all of it already.
#   SHOP_TOKEN=secret INBOX=inbox.db RAILS_ENV=production puma -b tcp://127.0.0.1:3000 config.ru
require "action_controller/railtie"
require "active_record"

ENV["SHOP_TOKEN"].to_s.empty? and abort "SHOP_TOKEN is empty"

class Shop < Rails::Application
  config.load_defaults 6.1
  config.eager_load = false
  config.secret_key_base = "of this example"
  config.logger = Logger.new($stderr)
  routes.append do
    root to: "carts#show"
    post "buy", to: "carts#buy"
    post "hook", to: "hooks#create"
    post "signed", to: "hooks#signed"
  end
end
Rails.application.initialize!

ActiveRecord::Base.establish_connection(adapter: "sqlite3", database: ENV.fetch("INBOX", "inbox.db"), timeout: 20_000, pool: 16)
require_relative "hook"
ActiveRecord::Schema.verbose = false
ActiveRecord::Base.connection.table_exists?("inbox") || ActiveRecord::Schema.define do # yours is a migration
  create_table :inbox, id: false do |t|
    t.string :idempotency_key, limit: 36, null: false, index: { unique: true }
    t.text :body, null: false
  end
  create_table :fulfilled, id: false do |t|
    t.string :order_id, limit: 128, null: false, index: { unique: true }
  end
  create_table :credited, id: false do |t|
    t.string :record_id, :type, :buyer, :coin, null: false
    t.string :amount, null: false # PostgreSQL and MySQL: t.decimal
    t.index %i[record_id type], unique: true
  end
end
# On SQLite a transaction that reads first, such as the tables' columns, may not get to write.
[Inbox, Fulfilled, Credited].each { |model| model.connection.schema_cache.add(model.table_name) }

run Rails.application
