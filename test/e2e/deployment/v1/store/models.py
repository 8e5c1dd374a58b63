"""Version 1 of the store."""

from django.db import models


class Tag(models.Model):
    name = models.CharField(max_length=30, unique=True)


class Product(models.Model):
    sku = models.CharField(max_length=40)
    title = models.CharField(max_length=40)
    stock = models.IntegerField(default=0)
    tags = models.ManyToManyField(Tag)


class Customer(models.Model):
    name = models.CharField(max_length=60)
    email = models.EmailField()
    phone = models.CharField(max_length=20, null=True)
    segment = models.CharField(max_length=10, default="retail")
    legacy_code = models.CharField(max_length=12)
    credit = models.IntegerField(default=0)


class Order(models.Model):
    customer = models.ForeignKey(Customer, models.CASCADE, related_name="orders")
    state = models.CharField(max_length=10, default="new")
    note = models.TextField(null=True)
    placed_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [models.Index(fields=["state"], name="store_order_state")]


class OrderLine(models.Model):
    order = models.ForeignKey(Order, models.CASCADE, related_name="lines")
    product = models.ForeignKey(Product, models.PROTECT, related_name="lines")
    quantity = models.IntegerField()


class Review(models.Model):
    product = models.ForeignKey(Product, models.CASCADE, related_name="reviews")
    author = models.CharField(max_length=40)
    stars = models.IntegerField()
    text = models.TextField(default="")

    class Meta:
        indexes = [models.Index(fields=["author"], name="store_review_author")]


class Coupon(models.Model):
    code = models.CharField(max_length=40, unique=True)
    customer = models.ForeignKey(Customer, models.CASCADE, related_name="coupons")
    percent = models.IntegerField(default=5)
