"""What version 2 does all day, by its own models."""

import time
from decimal import Decimal

from django.db import transaction
from django.db.models import Avg, Count, Exists, F, OuterRef, Subquery, Sum

from store.models import Customer, Invoice, Opinion, Order, OrderLine, Product, Tag

SEEDED = 500  # customers and products that are there from the start, and stay


def sign_up(worker):
    name = worker.new_name()
    customer = Customer.objects.create(
        name=name, email=f"{name}@example.org", phone="555-3", sponsor_id=worker.random.randrange(1, SEEDED)
    )
    assert customer.language == "en", "the default that is in the database"
    worker.customers[customer.pk] = 0


def sign_up_many(worker):
    names = [worker.new_name() for _ in range(5)]
    customers = Customer.objects.bulk_create(
        [Customer(name=name, email=name, phone="", discount=7, language="de") for name in names]
    )
    worker.customers.update({customer.pk: 0 for customer in customers})
    for customer in customers:
        customer.discount = 8
    Customer.objects.bulk_update(customers, ["discount"])
    assert Customer.objects.filter(name__in=names, discount=8, language="de").count() == 5


def sign_up_once(worker):
    name = worker.new_name()
    for expected in True, False:
        customer, created = Customer.objects.get_or_create(email=name, defaults={"name": name, "phone": ""})
        assert created is expected
    worker.customers[customer.pk] = 0


def place_order(worker):
    customer = Customer.objects.get(pk=worker.random.choice(list(worker.customers)))
    products = worker.random.sample(range(1, SEEDED), 3)
    with transaction.atomic():
        order = Order.objects.create(customer=customer, priority=worker.random.randrange(9))
        OrderLine.objects.bulk_create([OrderLine(order=order, product_id=pk, quantity=2) for pk in products])
        for product in Product.objects.select_for_update().filter(pk__in=products).order_by("pk"):
            product.stock = F("stock") - 2
            product.save()
        Invoice.objects.create(order=order, total=Decimal("12.50"))
    worker.orders.append(order.pk)
    assert Order.objects.select_related("invoice").get(pk=order.pk).invoice.total == Decimal("12.50")


def earn_credit(worker):
    """Read under lock, write back all columns that version 2 knows."""
    pk = worker.random.choice(list(worker.customers))
    with transaction.atomic():
        customer = Customer.objects.select_for_update().get(pk=pk)
        assert customer.credit == worker.customers[pk]
        customer.credit += 1
        customer.save()
    worker.customers[pk] += 1


def work_on_orders(worker):
    pk = worker.random.choice(worker.orders)
    assert Order.objects.filter(pk=pk).update(state="packed", priority=F("priority") + 1) == 1
    with transaction.atomic():
        order = Order.objects.select_for_update(of=["self"]).select_related("customer").get(pk=pk)
        order.note = f"for {order.customer.name}"
        order.save()


def cancel_order(worker):
    order = Order.objects.create(customer_id=next(iter(worker.customers)), priority=0)
    order.lines.create(product_id=1, quantity=1)
    Invoice.objects.create(order=order, total=0)
    assert order.delete()[0] == 3


def close_account(worker):
    name = worker.new_name()
    customer = Customer.objects.create(name=name, email=name, phone="")
    friend = Customer.objects.create(name=name, email=name, phone="", sponsor=customer)
    customer.orders.create(priority=1)
    assert customer.delete()[0] == 2
    friend.refresh_from_db()
    assert friend.sponsor is None
    friend.delete()


def list_orders(worker):
    orders = Order.objects.filter(customer__in=list(worker.customers)[-5:]).select_related("customer__sponsor")
    for order in orders.prefetch_related("lines__product__opinions")[:5]:
        assert order.priority >= 0 and all(line.product.title for line in order.lines.all())
    recent = Order.objects.filter(state="new").order_by("-placed_at")[:10]
    assert Invoice.objects.filter(order__in=list(recent)).count() <= 10


def statistics(worker):
    pk = worker.random.randrange(SEEDED)
    for customer in Customer.objects.filter(pk__range=(pk, pk + 10)).annotate(placed=Count("orders")):
        assert customer.placed >= 1
    stars = Opinion.objects.filter(product=OuterRef("pk")).values("product").annotate(avg=Avg("stars")).values("avg")
    Product.objects.filter(pk__lt=20).annotate(stars=Subquery(stars), sold=Sum("lines__quantity")).latest("sold")
    invoiced = Exists(Invoice.objects.filter(order__customer=OuterRef("pk")))
    Customer.objects.filter(invoiced, discount__gt=0).order_by("-pk").values("language").annotate(Count("pk"))
    assert not Customer.objects.filter(segment="gold", pk__lte=SEEDED).exclude(discount=10).exists()


def export(worker):
    """A server-side cursor, in a transaction that takes its time."""
    with transaction.atomic():
        customers = Customer.objects.filter(segment="gold", discount=10).order_by("pk")[:300]
        assert sum(1 for customer in customers.iterator(chunk_size=100) if customer.language == "en") == 300
        time.sleep(worker.random.choice([0, 0.1, 0.3]))


def write_opinions(worker):
    """Before the window ends this is the table that version 1 calls reviews."""
    author = worker.new_name()
    product = Product.objects.get(pk=worker.random.randrange(1, SEEDED))
    opinion = product.opinions.create(author=author, stars=4)
    others = Opinion.objects.bulk_create([Opinion(product=product, author=author, stars=n) for n in (1, 5)])
    assert all(other.pk for other in others)
    opinion.text = "better than it looks"
    opinion.save()
    with transaction.atomic():
        locked = Opinion.objects.select_for_update().get(pk=opinion.pk)
        assert locked.text == opinion.text
        Opinion.objects.filter(pk=locked.pk).update(helpful=F("helpful") + 1)
    found, created = Opinion.objects.update_or_create(author=author, stars=5, defaults={"text": "!", "product": product})
    assert not created and found.pk == others[1].pk
    assert Opinion.objects.filter(author=author, helpful=1).select_related("product").get().product == product
    assert Opinion.objects.filter(author=author, stars=1).delete()[0] == 1
    assert Opinion.objects.filter(author=author).aggregate(Avg("stars"))["stars__avg"] == 4.5
    by_product = Opinion.objects.filter(author=author).values("product__title").annotate(number=Count("pk"))
    assert by_product.get()["number"] == 2


def tag_product(worker):
    product = Product.objects.create(sku=worker.new_name(), title="a title for which version 1 has not enough room")
    product.tags.set(Tag.objects.filter(pk__lte=3))
    assert Product.objects.filter(tags__pk=2, pk=product.pk).count() == 1
    product.tags.clear()
    product.delete()


ACTIONS = [
    sign_up,
    sign_up_many,
    sign_up_once,
    place_order,
    earn_credit,
    work_on_orders,
    cancel_order,
    close_account,
    list_orders,
    statistics,
    export,
    write_opinions,
    tag_product,
]


def check_own_rows(worker):
    found = dict(Customer.objects.filter(pk__in=worker.customers).values_list("pk", "credit"))
    assert found == worker.customers
    orders = Order.objects.filter(pk__in=worker.orders).annotate(total=Sum("lines__quantity"))
    assert [order.total for order in orders] == [6] * len(worker.orders)
