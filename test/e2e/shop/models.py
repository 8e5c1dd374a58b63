"""The old application version: it goes on running while the tests migrate the database under it."""

from django.db import models


class Customer(models.Model):
    company_name = models.CharField(max_length=100)
    plan = models.CharField(max_length=20, default="free")
    company_address = models.TextField(null=True)
    credit = models.IntegerField(default=0)


class Order(models.Model):
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE)
    number = models.IntegerField()
    note = models.TextField(null=True)

    class Meta:
        indexes = [models.Index(fields=["number"], name="shop_order_number")]
