\set id random(1, 500000)
SELECT company_name, plan, country FROM client WHERE id = :id;
UPDATE client SET plan = 'pro' WHERE id = :id;
INSERT INTO client (company_name, country) VALUES ('A new company', 'FR');
