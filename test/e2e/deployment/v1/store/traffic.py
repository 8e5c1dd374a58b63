"""What version 1 does all day, by its own models."""

import time

from django.db import transaction
from django.db.models import Avg, Count, Exists, F, OuterRef, Prefetch, Q, Sum

from store.models import Coupon, Customer, Order, OrderLine, Product, Review, Tag

SEEDED = 500  # customers and products that are there from the start, and stay


def sign_up(worker):
    name = worker.new_name()
    customer = Customer.objects.create(
        name=name,
        email=f"{name}@example.org",
        phone=worker.random.choice([None, "555-1"]),
        legacy_code=f"L{worker.last_number}",
    )
    worker.customers[customer.pk] = 0


def sign_up_once(worker):
    name = worker.new_name()
    for expected in True, False:
        customer, created = Customer.objects.get_or_create(email=name, defaults={"name": name, "legacy_code": "L"})
        assert created is expected
    worker.customers[customer.pk] = 0
    customer, created = Customer.objects.update_or_create(email=name, defaults={"phone": "555-2"})
    assert not created and customer.phone == "555-2"


def place_order(worker):
    customer = Customer.objects.get(pk=worker.random.choice(list(worker.customers)))
    products = worker.random.sample(range(1, SEEDED), 3)
    with transaction.atomic():
        order = Order.objects.create(customer=customer, note=worker.random.choice([None, "ring twice"]))
        OrderLine.objects.bulk_create([OrderLine(order=order, product_id=pk, quantity=2) for pk in products])
        Product.objects.select_for_update().filter(pk__in=products).order_by("pk").count()
        for pk in sorted(products):
            Product.objects.filter(pk=pk).update(stock=F("stock") - 2)
    worker.orders.append(order.pk)
    assert order.lines.aggregate(total=Sum("quantity"))["total"] == 6


def earn_credit(worker):
    """Read under lock, write back all columns that version 1 knows."""
    pk = worker.random.choice(list(worker.customers))
    with transaction.atomic():
        customer = Customer.objects.select_for_update().get(pk=pk)
        assert customer.credit == worker.customers[pk]
        customer.credit += 1
        customer.save()
    worker.customers[pk] += 1


def work_on_orders(worker):
    pk = worker.random.choice(worker.orders)
    assert Order.objects.filter(pk=pk).update(state="packed") == 1
    with transaction.atomic():
        for order in Order.objects.select_for_update(skip_locked=True).filter(pk=pk):
            order.state = "sent"
            order.save(update_fields=["state"])
    assert Order.objects.filter(pk=pk, state__in=["sent", "packed"]).exists()


def cancel_order(worker):
    order = Order.objects.create(customer_id=next(iter(worker.customers)))
    order.lines.create(product_id=1, quantity=1)
    assert order.delete()[0] == 2


def close_account(worker):
    """The orders and coupons of a customer go with him."""
    name = worker.new_name()
    customer = Customer.objects.create(name=name, email=name, legacy_code="gone")
    customer.orders.create(note="never mind")
    customer.coupons.create(code=name)
    assert customer.delete()[0] == 3


def list_orders(worker):
    orders = Order.objects.filter(customer__in=list(worker.customers)[-5:]).select_related("customer")
    for order in orders.prefetch_related(Prefetch("lines", OrderLine.objects.select_related("product")))[:10]:
        assert order.customer.name and all(line.product.title for line in order.lines.all())
    Order.objects.filter(state="new").order_by("-placed_at").values_list("pk", "note")[:10].count()


def statistics(worker):
    pk = worker.random.randrange(SEEDED)
    for customer in Customer.objects.filter(pk__range=(pk, pk + 10)).annotate(placed=Count("orders")):
        assert customer.legacy_code and customer.placed >= 1
    Product.objects.filter(pk__lt=20).annotate(stars=Avg("reviews__stars"), sold=Count("lines")).latest("sold")
    with_coupon = Exists(Coupon.objects.filter(customer=OuterRef("pk")))
    assert Customer.objects.filter(with_coupon, pk__lt=20).in_bulk()


def export(worker):
    """A server-side cursor, in a transaction that takes its time."""
    with transaction.atomic():
        customers = Customer.objects.filter(Q(segment="gold") | Q(credit__gt=90)).order_by("pk")[:300]
        assert sum(1 for customer in customers.iterator(chunk_size=100) if customer.legacy_code) == 300
        time.sleep(worker.random.choice([0, 0.1, 0.3]))
        assert Review.objects.filter(stars=5).exists()


def write_reviews(worker):
    author = worker.new_name()
    product = Product.objects.get(pk=worker.random.randrange(1, SEEDED))
    review = product.reviews.create(author=author, stars=4)
    Review.objects.bulk_create([Review(product=product, author=author, stars=stars) for stars in (1, 5)])
    review.text = "better than it looks"
    review.save()
    assert Review.objects.filter(author=author).aggregate(Avg("stars"))["stars__avg"] > 3
    assert Review.objects.filter(author=author, stars=1).delete()[0] == 1
    assert Review.objects.filter(author=author).annotate(lines=Count("product__lines")).count() == 2


def hand_out_coupon(worker):
    coupon, created = Coupon.objects.get_or_create(code=worker.new_name(), defaults={"customer_id": 1})
    assert created
    Coupon.objects.filter(pk=coupon.pk).update(percent=F("percent") + 1)
    assert Coupon.objects.select_related("customer").get(code=coupon.code).percent == 6
    coupon.delete()


def tag_product(worker):
    product = Product.objects.create(sku=worker.new_name(), title="novelty")
    product.tags.set(Tag.objects.filter(pk__lte=3))
    assert Product.objects.filter(tags__pk=2, pk=product.pk).count() == 1
    product.tags.clear()
    product.delete()


ACTIONS = [
    sign_up,
    sign_up_once,
    place_order,
    earn_credit,
    work_on_orders,
    cancel_order,
    close_account,
    list_orders,
    statistics,
    export,
    write_reviews,
    hand_out_coupon,
    tag_product,
]


def check_own_rows(worker):
    found = dict(Customer.objects.filter(pk__in=worker.customers).values_list("pk", "credit"))
    assert found == worker.customers
    assert Order.objects.filter(pk__in=worker.orders).count() == len(worker.orders)
