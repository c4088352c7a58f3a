# What a Django shop adds: the hook, and the answer that sends a buyer to pay.
import hashlib
import hmac
import os

from django.db import IntegrityError, models, transaction
from django.http import HttpResponse, JsonResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST


class Inbox(models.Model):
    idempotency_key = models.CharField(max_length=36, primary_key=True)
    body = models.TextField()

    class Meta:
        app_label, db_table = "shop", "inbox"


class Fulfilled(models.Model):
    order_id = models.CharField(max_length=128, primary_key=True)

    class Meta:
        app_label, db_table = "shop", "fulfilled"


class Credited(models.Model):
    record_id = models.CharField(max_length=128)
    type = models.CharField(max_length=64)
    buyer = models.CharField(max_length=128)
    coin = models.CharField(max_length=32)
    amount = models.CharField(max_length=64)  # PostgreSQL and MySQL: a DecimalField

    class Meta:
        app_label, db_table = "shop", "credited"
        constraints = [models.UniqueConstraint(fields=["record_id", "type"], name="credited_once")]


def once(model, **values):
    """Inserts a row; False: it was there. The inner atomic keeps the outer one usable then."""
    try:
        with transaction.atomic():
            model.objects.create(**values)
    except IntegrityError:
        return False
    return True


@csrf_exempt
@require_POST
def hook(request):
    h = request.headers
    token = os.environ["SHOP_TOKEN"]
    ours = token and constant_time_compare(h.get("Authorization", ""), "Bearer " + token)
    if not ours or not h.get("Idempotency-Key"):
        return HttpResponse(status=401)
    with transaction.atomic():
        once(Inbox, idempotency_key=h["Idempotency-Key"], body=request.body.decode())
        # A repeat may be the first to have the flag: the order decides, or the record, and not the inbox.
        if h.get("Ccpayment-Fulfill") == "true":  # a worker ships what is in the table
            once(Fulfilled, order_id=h["Ccpayment-Order-Id"])
        elif h.get("Ccpayment-Credit") == "true":
            buyer = h.get("Ccpayment-Reference-Id") or h["Ccpayment-User-Id"]
            once(Credited, record_id=h["Ccpayment-Record-Id"], type=h["Ccpayment-Type"], buyer=buyer,
                 coin=h["Ccpayment-Coin"], amount=h["Ccpayment-Amount"])
    return HttpResponse("Success")  # after the commit


@csrf_exempt
@require_POST
def signed_hook(request):
    """For an app that checks CCPayment's signature already: `sign ccpayment`."""
    signed = (os.environ["CCPAYMENT_APP_ID"] + request.headers.get("Timestamp", "")).encode() + request.body
    sign = hmac.new(os.environ["CCPAYMENT_APP_SECRET"].encode(), signed, hashlib.sha256).hexdigest()
    if not constant_time_compare(request.headers.get("Sign", ""), sign):
        return HttpResponse(status=401)
    return hook(request)


@require_POST  # with Django's CSRF check, as it is a buyer's form
def buy(request):
    cart = {"order_id": "order-1", "price": "49.90", "currency": "USD", "return_url": request.build_absolute_uri("/thanks")}
    return JsonResponse(cart, status=402)
