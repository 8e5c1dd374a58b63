\set id random(1, 500000)
SELECT company_name, plan, company_address FROM customer WHERE id = :id;
UPDATE customer SET plan = 'pro' WHERE id = :id;
INSERT INTO customer (company_name, company_address) VALUES ('A new company', 'Street 1');
