"""Where accounts pay: a UPI switch with its payers' app, a wallet's pages and banks' pages."""
