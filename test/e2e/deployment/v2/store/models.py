"""Version 2 of the store."""

from django.db import models


class Tag(models.Model):
    name = models.CharField(max_length=30, unique=True)


class Product(models.Model):
    sku = models.CharField(max_length=40)
    title = models.CharField(max_length=80)
    stock = models.IntegerField(default=0)
    tags = models.ManyToManyField(Tag)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["sku"], name="store_product_sku")]


class Customer(models.Model):
    name = models.CharField(max_length=60)
    email = models.EmailField()
    phone = models.CharField(max_length=20)
    segment = models.CharField(max_length=10, default="retail")
    credit = models.IntegerField(default=0)
    discount = models.IntegerField(default=0)
    language = models.CharField(max_length=5, db_default="en")
    sponsor = models.ForeignKey("self", models.SET_NULL, null=True, related_name="sponsored")

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(credit__gte=0), name="store_customer_credit")]


class Order(models.Model):
    customer = models.ForeignKey(Customer, models.CASCADE, related_name="orders")
    state = models.CharField(max_length=10, default="new")
    note = models.TextField(default="")
    priority = models.IntegerField()
    placed_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [models.Index(fields=["state", "-placed_at"], name="store_order_recent")]


class OrderLine(models.Model):
    order = models.ForeignKey(Order, models.CASCADE, related_name="lines")
    product = models.ForeignKey(Product, models.PROTECT, related_name="lines")
    quantity = models.IntegerField()

    class Meta:
        unique_together = [("order", "product")]


class Invoice(models.Model):
    order = models.OneToOneField(Order, models.CASCADE, related_name="invoice")
    total = models.DecimalField(max_digits=10, decimal_places=2)


class Opinion(models.Model):
    product = models.ForeignKey(Product, models.CASCADE, related_name="opinions")
    author = models.CharField(max_length=40)
    stars = models.IntegerField()
    text = models.TextField(default="")
    helpful = models.IntegerField(default=0)

    class Meta:
        indexes = [
            models.Index(fields=["author"], name="store_review_author"),
            models.Index(fields=["stars"], name="store_opinion_stars"),
        ]
